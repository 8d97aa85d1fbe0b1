-- Finds portals that are due and have no doorbell on its way, oldest first.
--
-- KEYS[2]  the queue that the doorbells go to, a sorted set
-- ARGV[3]  the worker that asks
-- ARGV[4]  how long its turn lasts without another call, in ms
-- ARGV[5]  the most doorbells to answer
-- Answer   msgpack array of doorbells to ring; empty when it is another worker's turn
--
-- Atomic because two sweepers, or a sweeper and a mark, would ring one portal twice.

local worker, turn_ms, most = ARGV[3], ARGV[4], tonumber(ARGV[5])
local PAGE = 500

local holder = redis.call('GET', prefix .. 'sweeper')
if holder and holder ~= worker then return cmsgpack.pack({}) end
redis.call('SET', prefix .. 'sweeper', worker, 'PX', turn_ms)

local function fleet_slots()
  redis.call('ZREMRANGEBYSCORE', prefix .. 'fleet', '-inf', now - 3 * limits.fleet_beat)
  local slots = 0
  for _, member in ipairs(redis.call('ZRANGE', prefix .. 'fleet', 0, -1)) do
    slots = slots + tonumber(string.match(member, ':(%d+)$'))
  end
  return slots
end

if redis.call('ZCARD', KEYS[2]) > 2 * fleet_slots() then
  redis.call('SET', prefix .. 'crowded', 1, 'PX', 1000)
  return cmsgpack.pack({})
end
redis.call('DEL', prefix .. 'crowded')

local bells, offset = {}, 0
while #bells < most do
  local due = redis.call('ZRANGEBYSCORE', portals_key, '-inf', now, 'LIMIT', offset, PAGE)
  if #due == 0 then break end
  for _, portal in ipairs(due) do
    bells[#bells + 1] = ring(portal, portal_state(portal))
    if #bells >= most then break end
  end
  offset = offset + PAGE
end
return cmsgpack.pack(bells)
