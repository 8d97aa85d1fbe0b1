-- Tells which calls of a portal in one partition have not gone as far as is known. Follows table,
-- records.
--
-- KEYS[1]  root of the partition's records
-- ARGV[1]  portal
-- ARGV[2]… calls
--
-- Answers 1 for each call that has a record and is neither gone nor merged by it, else 0. Atomic so
-- that a portal that moves to a table of its own is looked for in one place.

local ARCHIVED = 1

local records, answer = open_records(KEYS[1], ARGV[1]), {}
for i = 2, #ARGV do
  local record = find_record(records, ARGV[i])
  answer[i - 1] = record and record.state <= ARCHIVED and 1 or 0
end
return answer
