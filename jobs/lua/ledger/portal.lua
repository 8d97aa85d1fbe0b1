-- Changes what the ledger knows of a portal as a whole.
--
-- ARGV[3]  portal
-- ARGV[4]  'connect' | 'disconnect' | 'wake' | 'sleep'
-- ARGV[5]  for sleep: how long, in ms
-- ARGV[6]  for sleep and disconnect: why
-- Answer   msgpack array of doorbells to ring
--
-- Atomic because the portal's score must follow from its state at every moment.

local portal, action = ARGV[3], ARGV[4]
local key = prefix .. portal

if action == 'connect' then
  redis.call('HSETNX', key, 'connected_at', now)
  redis.call('HSET', key, 'open', 1)
  redis.call('HDEL', key, 'asleep_until', 'why', 'failures')
elseif action == 'disconnect' then
  redis.call('HSET', key, 'open', 0, 'why', ARGV[6])
elseif action == 'wake' then
  redis.call('HDEL', key, 'asleep_until', 'why', 'failures')
elseif action == 'sleep' then
  redis.call('HSET', key, 'asleep_until', now + tonumber(ARGV[5]), 'why', ARGV[6])
end
local state = portal_state(portal)
rescore(portal, state)
return cmsgpack.pack({ring(portal, state)})
