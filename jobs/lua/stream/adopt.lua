-- Raises the partition's copy of a portal's projection generation. Follows table, records.
--
-- KEYS[1]  root of the partition's records
-- ARGV[1]  portal
-- ARGV[2]  generation
--
-- Answers the copy. Atomic so that it never goes back.

local records, generation = open_records(KEYS[1], ARGV[1]), tonumber(ARGV[2])
if generation > records.own.generation then keep_generation(records, generation) end
return records.own.generation
