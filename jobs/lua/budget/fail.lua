-- Counts a request that brought no answer, or one that says that HubSpot's API fails.
--
-- KEYS  1 `breaker`, 2 `breaker:failing` (see breaker.lua)
-- ARGV  1 portal
--       2 how many accounts must fail with no answer in between
--       3 ms until the first probe
--       4 ms for which failures are remembered
-- Answer: 1 = this failure opened the breaker, else 0
--
-- Atomic because failures are counted, and the breaker is opened, by many at once.

return fail(KEYS[1], KEYS[2], ARGV[1], now_ms(), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4])
