-- Claims the portal's oldest due calls for one reader. Follows common, pulse/beat.
--
-- ARGV[3]  portal
-- ARGV[4]  the doorbell that is answered, or empty
-- ARGV[5]  how many claims of this portal may be alive side by side
-- Answer   msgpack {{token or '', lease end, now, failures in a row, connected at,
--          calls {{call, memo, hints}, ...}, doorbells}, epoch, count}
--
-- Atomic because a call must have one reader: taking it from the due set and leasing it is one step.

local epoch, count = beat(prefix .. 'pulse', limits.process)
local portal, bell, side = ARGV[3], ARGV[4], tonumber(ARGV[5])
local due_key, leases_key = room(portal, 'due'), room(portal, 'leases')

if bell ~= '' then redis.call('ZREM', room(portal, 'bells'), bell) end
local state = portal_state(portal)
-- A doorbell that outlives its account must not leave a trace of it.
if state.open then
  redis.call('HSET', prefix .. portal, 'side', side)
  state.side = side
end

-- Both due calls and expired leases, oldest first.
local function take(count)
  local taken = {}
  for _, key in ipairs({due_key, leases_key}) do
    local found = redis.call('ZRANGEBYSCORE', key, '-inf', now, 'WITHSCORES', 'LIMIT', 0, count)
    for i = 1, #found, 2 do
      taken[#taken + 1] = {id = found[i], since = tonumber(found[i + 1]), expired = key == leases_key}
    end
  end
  table.sort(taken, function(a, b)
    if a.since == b.since then return a.id < b.id end
    return a.since < b.since
  end)
  while #taken > count do table.remove(taken) end
  return taken
end

local function lease(taken, token, lease_end)
  local calls = {}
  for i, call in ipairs(taken) do
    local id = call.id
    local hints = redis.call('HGET', room(portal, 'hints'), id)
    if call.expired then
      local fresh = redis.call('HGET', room(portal, 'fresh'), id)
      if fresh then
        hints = merge_buckets(hints, fresh)
        redis.call('HSET', room(portal, 'hints'), id, hints)
        redis.call('HDEL', room(portal, 'fresh'), id)
      end
    else
      redis.call('ZREM', due_key, id)
    end
    redis.call('ZADD', leases_key, lease_end, id)
    redis.call('HSET', room(portal, 'held'), id, string.format('%s:0:%d', token, now))
    calls[i] = {id, redis.call('HGET', room(portal, 'memo'), id) or '', hints or ''}
  end
  return calls
end

local waiting = count_due(portal)
local may_start = state.open and state.asleep_until <= now and waiting > 0
  and (not probe_at or probe_at <= now)
  and now - state.claimed_at >= pace_of(state, waiting)
  and not is_full(portal, state)

local token, lease_end, calls = '', now + limits.lease, {}
if may_start then
  -- With the time, since a Redis that lost its last second counts the same numbers again.
  token = string.format('%d%06d%d', clock[1], clock[2], redis.call('INCR', prefix .. 'serial'))
  calls = lease(take(limits.batch), token, lease_end)
  redis.call('ZADD', room(portal, 'claims'), lease_end, token)
  redis.call('HSET', prefix .. portal, 'claimed_at', now)
  state.claimed_at = now
end
rescore(portal, state)
local connected_at = tonumber(redis.call('HGET', prefix .. portal, 'connected_at') or 0)
return cmsgpack.pack({{
  token, lease_end, now, state.failures, connected_at, calls, {ring(portal, state)},
}, epoch, count})
