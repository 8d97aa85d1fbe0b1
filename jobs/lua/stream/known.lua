-- Counts a portal's records in one partition. Follows table, records.
--
-- KEYS[1]  root of the partition's records
-- ARGV[1]  portal
--
-- Answers the number. Atomic so that a portal that moves to a table of its own is counted once.

local records = open_records(KEYS[1], ARGV[1])
if records.small then return #small_records(records) / 2 end
return records.own.count
