-- Opens and closes a portal. Follows common.
--
-- Marks of a portal that is not open are kept and ring nothing.

-- Opens a portal, and counts it as connected since then if it is not known: `since` in ms, nil = now.
local function open_door(portal, since)
  local key = prefix .. portal
  if redis.call('HSETNX', key, 'connected_at', since or now) == 1 then
    redis.call('SADD', prefix .. 'newcomers', portal)
  end
  redis.call('HSET', key, 'open', 1)
  redis.call('HDEL', key, 'asleep_until', 'why', 'failures')
  redis.call('SREM', prefix .. 'strangers', portal)
  local state = portal_state(portal)
  rescore(portal, state)
  return {ring(portal, state)}
end

local function close_door(portal, why)
  local key = prefix .. portal
  redis.call('HDEL', key, 'asleep_until', 'failures')
  redis.call('HSET', key, 'open', 0, 'why', why)
  rescore(portal, portal_state(portal))
end
