-- What every ledger script shares: the clock, the key layout, a portal's score, its doorbells.
--
-- KEYS[1]  the sorted set of portals; every other key is derived from ARGV[1] and a portal id, which
--          is why the ledger's Redis is a single server or a Sentinel group, never a cluster
-- ARGV[1]  key prefix, up to and including `ledger:`
-- ARGV[2]  msgpack map of the waits in ms and of the bounds (jobs/ledger.py, `_limits`)
--
-- Time is the server's, in epoch ms, read once per script.

local portals_key = KEYS[1]
local prefix = ARGV[1]
local limits = cmsgpack.unpack(ARGV[2])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local VARIADIC = 500 -- arguments that one call may carry without nearing Lua's stack limit

-- While HubSpot's API is out, when it may next be probed (jobs/hubspot/budget.py); else nil.
local probe_at = tonumber(redis.call('HGET', limits.breaker, 'probe_at') or nil)

local function room(portal, name)
  return prefix .. portal .. ':' .. name
end

local function portal_state(portal)
  local values = redis.call('HMGET', prefix .. portal,
    'open', 'asleep_until', 'claimed_at', 'side', 'failures', 'pace')
  return {
    open = values[1] == '1',
    asleep_until = tonumber(values[2]) or 0,
    claimed_at = tonumber(values[3]) or 0,
    side = tonumber(values[4]) or 2,
    failures = tonumber(values[5]) or 0,
    pace = tonumber(values[6]) or 0,
  }
end

local function first_score(key)
  local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
  return first[2] and tonumber(first[2])
end

-- The earliest moment at which a call of the portal can be claimed, or nil.
local function earliest(portal)
  local due, lease = first_score(room(portal, 'due')), first_score(room(portal, 'leases'))
  if due and lease then return math.min(due, lease) end
  return due or lease
end

local function count_due(portal)
  return redis.call('ZCOUNT', room(portal, 'due'), '-inf', now)
    + redis.call('ZCOUNT', room(portal, 'leases'), '-inf', now)
end

-- The least time between two claims of a portal with so many due calls. A full batch goes on sooner
-- than its budget lasts, so that the budget is its limit and not the time that every claim is late.
local function pace_of(state, due)
  if due >= limits.batch then return 0.8 * state.pace end
  return math.max(limits.pace, state.pace)
end

-- Rewrites the portal's score: the later of its sleep and its earliest work; none when disconnected.
local function rescore(portal, state)
  local first = state.open and earliest(portal)
  if first then
    redis.call('ZADD', portals_key, math.max(first, state.asleep_until), portal)
  else
    redis.call('ZREM', portals_key, portal)
  end
end

-- How many claims of the portal are alive. A portal whose API fails is probed by one at a time.
local function is_full(portal, state)
  local claims = room(portal, 'claims')
  redis.call('ZREMRANGEBYSCORE', claims, '-inf', now)
  local allowed = state.failures > 0 and 1 or state.side
  return redis.call('ZCARD', claims) >= allowed
end

local function has_bell_by(portal, moment)
  local bells = room(portal, 'bells')
  redis.call('ZREMRANGEBYSCORE', bells, '-inf', now)
  for _, bell in ipairs(redis.call('ZRANGE', bells, 0, -1)) do
    if tonumber(string.match(bell, ':(%d+)$')) <= moment + limits.bell_slack then return true end
  end
  return false
end

-- Records a doorbell for the portal if a claim would soon be useful and none is on its way.
-- Answers {portal, bell id, delay in ms}, or nil. The caller rings it. While HubSpot's API is out
-- only a probe is rung for.
local function ring(portal, state, is_probe)
  if probe_at and not is_probe then return nil end
  local first = state.open and earliest(portal)
  if not first then return nil end
  local moment = math.max(first, state.asleep_until, now)
  if moment > now + limits.ring_horizon then return nil end
  moment = math.max(moment, math.ceil(state.claimed_at + pace_of(state, count_due(portal))))
  if is_full(portal, state) or has_bell_by(portal, moment) then return nil end
  local crowded = redis.call('EXISTS', prefix .. 'crowded') == 1
  local bell = redis.call('INCR', prefix .. 'serial') .. ':' .. moment
  redis.call('ZADD', room(portal, 'bells'),
    moment + (crowded and limits.bell_crowded or limits.bell), bell)
  return {portal, bell, moment - now}
end

-- The quiet rule: when a call that was last claimed at `claimed_at` may be read again.
local function quiet(claimed_at)
  if not claimed_at or now - claimed_at > limits.quiet then return now end
  return claimed_at + limits.quiet
end

-- A lease is kept as `token:marks since:claimed at`.
local function parse_lease(text)
  local token, marks, claimed_at = string.match(text, '^(%d+):(%d+):(%d+)$')
  return token, tonumber(marks), tonumber(claimed_at)
end

-- Buckets of hints: `<latest dropped occurred_at>|<line><line>...` (jobs/hints.py).
local function parse_bucket(bucket)
  if not bucket then return 0, '' end
  local dropped, lines = string.match(bucket, '^(%d+)|(.*)$')
  return tonumber(dropped), lines
end

local function format_bucket(dropped, lines)
  return string.format('%d|', dropped) .. lines
end

-- Adds lines to those of a bucket, as far as these then take no more than `most` bytes. Answers the
-- lines, and the latest time among those that did not fit.
local function add_lines(lines, more, most)
  if more == '' or string.find(lines, more, 1, true) then return lines, 0 end
  if #lines + #more <= most then return lines .. more, 0 end
  local dropped = 0
  for line in string.gmatch(more, '[^\n]+\n') do
    if #lines + #line <= most then
      lines = lines .. line
    elseif not string.find(lines, line, 1, true) then
      dropped = math.max(dropped, tonumber(string.match(line, '"t":(%d+)')) or 0)
    end
  end
  return lines, dropped
end

local function extend_bucket(bucket, decisive, changes, dropped_too)
  local dropped, lines = parse_bucket(bucket)
  local dropped_now, dropped_last
  lines, dropped_now = add_lines(lines, changes, limits.soft)
  lines, dropped_last = add_lines(lines, decisive, limits.hard)
  return format_bucket(math.max(dropped, dropped_too, dropped_now, dropped_last), lines)
end

-- Bounded as well: a call whose reads fail is merged with what came during each of them.
local function merge_buckets(first, second)
  if not second then return first end
  local dropped, lines = parse_bucket(second)
  local decisive, changes = {}, {}
  for line in string.gmatch(lines, '[^\n]+\n') do
    local kind = string.match(line, '^{"k":"(%a+)"')
    table.insert(kind and limits.decisive[kind] and decisive or changes, line)
  end
  return extend_bucket(first, table.concat(decisive), table.concat(changes), dropped)
end
