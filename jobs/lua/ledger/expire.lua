-- Gives up marks of a portal that is not connected, and has not been for long. Follows common, doors.
--
-- KEYS[2]  hash: portal -> marks that were given up, `<portal>:at` -> when some were last
-- ARGV[3]  portal
-- ARGV[4]  how old a mark must be, in ms
-- ARGV[5]  the most to give up
-- Answer   msgpack {marks given up, 1 if the portal was connected once else 0}
--
-- Atomic because a portal that is connected meanwhile keeps its marks, and what is given up must be
-- counted in the step that forgets it.

local portal, before, most = ARGV[3], now - tonumber(ARGV[4]), tonumber(ARGV[5])
local is_known = redis.call('HEXISTS', prefix .. portal, 'connected_at')
if portal_state(portal).open then return cmsgpack.pack({0, is_known}) end

local count = 0
for _, name in ipairs({'due', 'leases'}) do
  local ids = redis.call('ZRANGEBYSCORE', room(portal, name), '-inf', before,
    'LIMIT', 0, most - count)
  for from = 1, #ids, VARIADIC do
    local part = {unpack(ids, from, math.min(from + VARIADIC - 1, #ids))}
    redis.call('ZREM', room(portal, name), unpack(part))
    for _, hash in ipairs({'hints', 'fresh', 'memo', 'held'}) do
      redis.call('HDEL', room(portal, hash), unpack(part))
    end
  end
  count = count + #ids
end
if count > 0 then
  redis.call('HINCRBY', KEYS[2], portal, count)
  redis.call('HSET', KEYS[2], portal .. ':at', now)
end
if not earliest(portal) then redis.call('SREM', prefix .. 'strangers', portal) end
return cmsgpack.pack({count, is_known})
