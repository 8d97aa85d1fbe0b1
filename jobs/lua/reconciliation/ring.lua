-- Says which accounts want a worker, and takes note of accounts that are new. Follows common.
--
-- KEYS[2]  `reconciliation:sweeper`  whose turn it is to ask
-- KEYS[3]  the queue that the accounts' jobs go to
-- ARGV[1]  the worker that asks
-- ARGV[2]  for how many ms it has the turn
-- ARGV[3]  how many jobs the queue may hold
-- ARGV[4]  for how many ms an account that was named is left alone
-- ARGV[5]  over how many ms the first runs of new accounts are spread
-- ARGV[6]… connected accounts
-- Answer   portals that want a worker now; none if it is another worker's turn
--
-- Atomic because an account must be named once.

local worker = redis.call('GET', place)
if worker and worker ~= ARGV[1] then return {} end
redis.call('SET', place, ARGV[1], 'PX', ARGV[2])

local connected, spread = {}, tonumber(ARGV[5])
for i = 6, #ARGV do
  connected[ARGV[i]] = true
  -- Its own part of the time, always the same: accounts do not come in storms.
  local part = tonumber(string.sub(redis.sha1hex(ARGV[i]), 1, 8), 16) / 0x100000000
  redis.call('ZADD', due, 'NX', whole(now + part * spread), ARGV[i])
end
local named = {}
local room = math.max(0, tonumber(ARGV[3]) - redis.call('ZCARD', KEYS[3]))
for _, portal in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, room)) do
  if connected[portal] then
    named[#named + 1] = portal
    redis.call('ZADD', due, whole(now + tonumber(ARGV[4])), portal)
  else
    redis.call('ZREM', due, portal)
  end
end
return named
