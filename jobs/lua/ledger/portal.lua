-- Changes what the ledger knows of a portal as a whole. Follows common, doors.
--
-- ARGV[3]  portal
-- ARGV[4]  'connect' | 'disconnect' | 'wake' | 'sleep'
-- ARGV[5]  for sleep: how long, in ms; for connect: since when it has been connected where that is not
--          known here, in epoch ms, 0 = now
-- ARGV[6]  for sleep and disconnect: why
-- Answer   msgpack array of doorbells to ring
--
-- Atomic because the portal's score must follow from its state at every moment.

local portal, action = ARGV[3], ARGV[4]
local key = prefix .. portal

if action == 'connect' then
  local since = tonumber(ARGV[5])
  return cmsgpack.pack(open_door(portal, since > 0 and math.min(since, now) or now))
end
if action == 'disconnect' then
  close_door(portal, ARGV[6])
elseif action == 'wake' then
  redis.call('HDEL', key, 'asleep_until', 'why', 'failures')
elseif action == 'sleep' then
  redis.call('HSET', key, 'asleep_until', now + tonumber(ARGV[5]), 'why', ARGV[6])
end
local state = portal_state(portal)
rescore(portal, state)
return cmsgpack.pack({ring(portal, state)})
