-- Ends a claim: says of each of its calls whether it is done, comes back later, or is dead. Follows
-- common, pulse/beat, deadletters/bury.
--
-- KEYS[2]  the dead letters' stream
-- ARGV[3]  portal
-- ARGV[4]  the claim's token
-- ARGV[5]  msgpack array of verdicts: {call, 'done'} | {call, 'later', wait in ms, memo or nil}
--          | {call, 'dead'}
-- ARGV[6]  msgpack {what became of the portal: '' | 'well' | 'failed' | 'waits', sleep in ms, why,
--          pace of its claims in ms or nil}
-- ARGV[7]… the fields of the dead letters, in the order of their verdicts
-- Answer   msgpack {{calls that the claim no longer held, doorbells to ring}, epoch, count}
--
-- Atomic because a mark that came during the lease must make the call due again in the same step
-- that ends the lease, and a dead letter must be written in the step that forgets its call.

local epoch, count = beat(prefix .. 'pulse', limits.process)
local portal, token = ARGV[3], ARGV[4]

local function forget(id, ...)
  for _, name in ipairs({...}) do redis.call('HDEL', room(portal, name), id) end
end

local function end_lease(id, claimed_at)
  redis.call('ZREM', room(portal, 'leases'), id)
  redis.call('HDEL', room(portal, 'held'), id)
  redis.call('ZADD', room(portal, 'recent'), claimed_at, id)
end

-- The marks that came during the lease are all that is left of the call.
local function keep_fresh(id)
  local fresh = redis.call('HGET', room(portal, 'fresh'), id)
  if fresh then
    redis.call('HSET', room(portal, 'hints'), id, fresh)
    redis.call('HDEL', room(portal, 'fresh'), id)
  else
    redis.call('HDEL', room(portal, 'hints'), id)
  end
end

local function put_off(id, memo)
  if memo then
    redis.call('HSET', room(portal, 'memo'), id, memo)
    keep_fresh(id)
    return
  end
  local fresh = redis.call('HGET', room(portal, 'fresh'), id)
  if fresh then
    local hints = redis.call('HGET', room(portal, 'hints'), id)
    redis.call('HSET', room(portal, 'hints'), id, merge_buckets(hints, fresh))
    redis.call('HDEL', room(portal, 'fresh'), id)
  end
end

local lost, letter = 0, 7
for _, verdict in ipairs(cmsgpack.unpack(ARGV[5])) do
  local id, kind = verdict[1], verdict[2]
  local held = redis.call('HGET', room(portal, 'held'), id)
  local holder, marks, claimed_at
  if held then holder, marks, claimed_at = parse_lease(held) end
  if holder ~= token then
    lost = lost + 1
    if kind == 'dead' then letter = letter + limits.letter_words end
  else
    end_lease(id, claimed_at)
    if kind == 'later' then
      put_off(id, verdict[4])
    else
      if kind == 'dead' then letter = bury(KEYS[2], letter, limits.letter_words) end
      forget(id, 'memo')
      keep_fresh(id)
    end
    if marks > 0 then
      redis.call('ZADD', room(portal, 'due'), quiet(claimed_at), id)
    elseif kind == 'later' then
      redis.call('ZADD', room(portal, 'due'), now + verdict[3], id)
    end
  end
end

redis.call('ZREM', room(portal, 'claims'), token)
redis.call('ZREMRANGEBYSCORE', room(portal, 'recent'), '-inf', now - limits.recent)
redis.call('PEXPIRE', room(portal, 'recent'), limits.recent)

local outcome = cmsgpack.unpack(ARGV[6])
local key, state = prefix .. portal, portal_state(portal)
local sleep = outcome[2]
if probe_at then sleep = math.min(sleep, math.max(0, probe_at - now)) end
if not state.open then
  -- Disconnected, or removed, while the claim was read: that stands.
elseif outcome[1] == 'well' and state.failures > 0 then
  redis.call('HDEL', key, 'failures', 'why')
  state.failures = 0
elseif outcome[1] == 'failed' or outcome[1] == 'waits' then
  -- Claims side by side fail together: only the first counts. While HubSpot's API is out its probes
  -- stand in for the portal's own backoff.
  if outcome[1] == 'failed' and state.asleep_until <= now and not probe_at then
    state.failures = redis.call('HINCRBY', key, 'failures', 1)
  end
  state.asleep_until = math.max(state.asleep_until, now + sleep)
  redis.call('HSET', key, 'asleep_until', state.asleep_until, 'why', outcome[3])
end
if state.open and outcome[4] then
  redis.call('HSET', key, 'pace', outcome[4])
  state.pace = outcome[4]
end
rescore(portal, state)
return cmsgpack.pack({{lost, {ring(portal, state)}}, epoch, count})
