-- Grants `cost` requests to an account in every window that they fall into, or in none.
--
-- KEYS  1 `budget:epoch`            since when Redis has lost nothing
--       2 `budget:<portal>`         hash: what was learned of the account (see jobs/hubspot/budget.py)
--       3 `budget:<portal>:<kind>`  log of the kind's window
--       4 `breaker`                 open while HubSpot's API is out (see breaker.lua)
-- ARGV  1 kind: `burst` or `search`
--       2 cost
--       3 limit per window until one is learned
--       4 share of a window's limit that is ours
--       5 share of it that stays free beside what others were seen to use
--       6 share of the daily limit that is left to others
--       7 window in ms until one is learned
--       8 the longest time in ms that an answer takes
--       9 ms after which a taker looks again while another one's answer is awaited
--       10 ms after which one taker may find out whether a spent daily limit was renewed
--       11 ms for which an unused account is remembered
--       12 the most ms between two probes of an API that is out
--       13 requests that must stay free after this for takers that leave none; 0 = this is one
--       14 ms for which a taker that leaves none and had to wait is expected beyond its wait
-- Answer: {ms to wait, 0 = granted; requests that the window takes; the window in ms; requests that
--          it holds now; ms after which the first of them leaves it}
--
-- Atomic because the windows must be looked at and written to with nobody in between: two takers
-- that both saw the last slot would both use it.

local PARTS, HASTE = 10, 1.05 -- a tenth of the window takes so many times its even share
local FOR_LIVE = 0.1 -- of a day's requests stays free for takers that leave none

local kind, cost, leaving = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[13])
local now = now_ms()
local since = whole(kept_since(KEYS[1], now))

local known = redis.call(
  'HMGET', KEYS[2], 'max', 'interval', 'daily', 'left', 'seen', 'cool:' .. kind, 'cool:daily',
  'sure', 'blind', 'probe', 'period', 'others', 'others:before', 'first:' .. kind, 'look:daily'
)
local daily, left, seen = tonumber(known[3]), tonumber(known[4]), tonumber(known[5])
local sure, blind, probe = known[8], known[9], known[10]

local limit, window = tonumber(ARGV[3]), tonumber(ARGV[7])
if kind == 'burst' and known[1] then
  limit, window = tonumber(known[1]), tonumber(known[2])
end
local tenth = math.max(1, math.floor(limit / 10))
local cap = usable(limit, tonumber(ARGV[4]))

-- Others on the token have a right to what is beside our share. Where they were seen to use more,
-- our share gives way, but for its last tenth.
if kind == 'burst' and known[11] then
  local others = math.max(seen_of_others(
    period_of(now, window), tonumber(known[11]), tonumber(known[12]), tonumber(known[13])
  ))
  local free = limit - others - math.floor(limit * tonumber(ARGV[5]))
  cap = math.max(tenth, math.min(cap, free))
end

local wait = math.max(0, (tonumber(known[6]) or 0) - now, (tonumber(known[7]) or 0) - now)

-- Grants of the last window may be missing from the log. One taker at a time finds out what HubSpot
-- has counted; where HubSpot does not say, a tenth of the limit must do until the window is over.
local unsure = now - tonumber(since) <= window and sure ~= since
local probing = false
if unsure and (kind == 'search' or blind == since) then
  cap = tenth
elseif unsure and probe == since then
  wait = math.max(wait, math.min(tonumber(ARGV[9]), tonumber(since) + window + 1 - now))
elseif unsure then
  probing = true
end

-- The day's count is HubSpot's, less what was granted since. Once it is spent nobody tells when it
-- begins anew, so now and then one taker is let through to see.
local looking = false
local others_of_day = tonumber(ARGV[6]) + (leaving > 0 and FOR_LIVE or 0)
if left and left - math.floor(daily * others_of_day) < cost then
  local again = seen + tonumber(ARGV[10]) - now
  looking = again <= 0
  wait = math.max(wait, again)
end

-- Nor does anybody tell whether the day has begun anew when the time is over for which it rested.
local rested = tonumber(known[7])
if rested and rested <= now then
  local again = (tonumber(known[15]) or 0) - now
  looking = looking or again <= 0
  wait = math.max(wait, again)
end

local probe_at = probe_time(KEYS[4])
if probe_at then
  wait = math.max(wait, probe_at - now)
end

pull_back(KEYS[3], now)

-- Who leaves something comes after who leaves nothing: not before one of those that had to wait has
-- come back, and spread over the window, so that some of it becomes free all the time.
local mine = cap
if leaving > 0 then
  mine = math.max(1, cap - leaving)
  local at_once = math.max(cost, math.ceil(mine * HASTE / PARTS))
  wait = math.max(wait, (tonumber(known[14]) or 0) - now,
    window_wait(KEYS[3], now, math.ceil(window / PARTS), at_once, cost))
end
wait = math.max(wait, window_wait(KEYS[3], now, window, mine, cost))
if wait > 0 then
  if leaving == 0 then
    redis.call('HSET', KEYS[2], 'first:' .. kind, whole(now + wait + tonumber(ARGV[14])))
    redis.call('PEXPIRE', KEYS[2], ARGV[11])
  end
  return {wait, cap, window, spent(KEYS[3], now, window)}
end

local keep = window + tonumber(ARGV[8])
local last = redis.call('HINCRBY', KEYS[2], 'serial', cost)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', '(' .. whole(now - keep))
for member = last - cost + 1, last do
  redis.call('ZADD', KEYS[3], whole(now), whole(member))
end
redis.call('PEXPIRE', KEYS[3], keep + 1)
if left then
  redis.call('HINCRBY', KEYS[2], 'left', -cost)
end
if probing then
  redis.call('HSET', KEYS[2], 'probe', since)
end
if probe_at then
  send_probe(KEYS[4], now, tonumber(ARGV[12]))
end
if looking then
  redis.call('HSET', KEYS[2], 'seen', whole(now), 'look:daily', whole(now + ARGV[10]))
end
if leaving == 0 and known[14] then
  redis.call('HDEL', KEYS[2], 'first:' .. kind)
end
redis.call('PEXPIRE', KEYS[2], ARGV[11])
return {0, cap, window, spent(KEYS[3], now, window)}
