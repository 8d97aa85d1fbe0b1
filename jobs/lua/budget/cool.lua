-- Keeps an account from asking until a time that HubSpot told, or longer if it was told longer.
--
-- KEYS  1 `budget:<portal>`  hash: what was learned of the account
-- ARGV  1 what cools: `burst`, `search` or `daily`
--       2 for how many ms
--       3 ms for which an unused account is remembered
-- Answer: for how many ms it cools now
--
-- Atomic because an earlier, longer word of HubSpot's must not be cut short by a later one.

local field = 'cool:' .. ARGV[1]
local now = now_ms()
local told = now + tonumber(ARGV[2])
local known = tonumber(redis.call('HGET', KEYS[1], field)) or 0
local cooled = math.max(told, known)
redis.call('HSET', KEYS[1], field, whole(cooled))
redis.call('PEXPIRE', KEYS[1], whole(math.max(tonumber(ARGV[3]), cooled - now)))
return cooled - now
