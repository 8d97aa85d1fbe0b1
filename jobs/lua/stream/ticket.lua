-- Takes a ticket: the partition's clock at a moment before a read's first request.
--
-- KEYS[1]  the partition's clock
-- ARGV[1]  the highest clock value that the calling process has seen
--
-- Answers the ticket. Atomic so that no two tickets or stamps are alike.

local clock = next_clock(KEYS[1], tonumber(ARGV[1]))
keep_clock(KEYS[1], clock)
return clock
