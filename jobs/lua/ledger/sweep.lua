-- Finds portals that are due and have no doorbell on its way, oldest first.
--
-- KEYS[2]  the queue that the doorbells go to, a sorted set
-- KEYS[3]  the portals to wake up because HubSpot's API is back, a sorted set
-- ARGV[3]  the worker that asks
-- ARGV[4]  how long its turn lasts without another call, in ms
-- ARGV[5]  the most doorbells to answer
-- ARGV[6]  followed by a job's id, the key that exists while the job is run
-- Answer   msgpack array of doorbells to ring; empty when it is another worker's turn
--
-- Atomic because two sweepers, or a sweeper and a mark, would ring one portal twice.

local worker, turn_ms, most, running = ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local PAGE = 500
local OUTAGE = {server = true, timeout = true, transport = true} -- why a portal may be asleep

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

-- Jobs that are due and nobody runs. A job stays in the queue while it runs, and those of a worker
-- that was killed for a minute more: they stand in nobody's way.
local function waiting_jobs(enough)
  local waiting = redis.call('ZCOUNT', KEYS[2], '-inf', now)
  if waiting <= enough then return waiting end
  for _, job in ipairs(redis.call('ZRANGE', KEYS[2], 0, 2 * PAGE - 1)) do
    waiting = waiting - redis.call('EXISTS', running .. job)
  end
  return waiting
end

local enough = 2 * fleet_slots()
if waiting_jobs(enough) > enough then
  redis.call('SET', prefix .. 'crowded', 1, 'PX', 1000)
  return cmsgpack.pack({})
end
redis.call('DEL', prefix .. 'crowded')

-- While HubSpot's API is out, one portal is enough to see whether it is back.
if probe_at and now < probe_at then return cmsgpack.pack({}) end
if probe_at then most = 1 end

-- Portals that fell asleep because HubSpot's API was out wake up when it is back, not all at once.
local woken = redis.call('ZPOPMIN', KEYS[3], PAGE)
for i = 1, #woken, 2 do
  local portal = woken[i]
  local state = portal_state(portal)
  local why = redis.call('HGET', prefix .. portal, 'why')
  if state.open and state.asleep_until > now and OUTAGE[why] then
    state.asleep_until = math.min(state.asleep_until, now + math.random(limits.ring_horizon))
    redis.call('HSET', prefix .. portal, 'asleep_until', state.asleep_until)
    rescore(portal, state)
  end
end

local bells, offset = {}, 0
while #bells < most do
  local due = redis.call('ZRANGEBYSCORE', portals_key, '-inf', now, 'LIMIT', offset, PAGE)
  if #due == 0 then break end
  for _, portal in ipairs(due) do
    bells[#bells + 1] = ring(portal, portal_state(portal), probe_at)
    if #bells >= most then break end
  end
  offset = offset + PAGE
end
return cmsgpack.pack(bells)
