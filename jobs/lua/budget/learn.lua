-- Takes over what HubSpot's answer said about the account's limits.
--
-- KEYS  1 `budget:epoch`            since when Redis has lost nothing
--       2 `budget:<portal>`         hash: what was learned of the account
--       3 `budget:<portal>:burst`   log of the burst window
--       4 `breaker`, 5 `breaker:failing`, 6 `breaker:waking` (see breaker.lua)
-- ARGV  1 kind of the request that was answered: `burst` or `search`
--       2 ms from sending the request to its answer
--       3 ms for which an unused account is remembered
--       4 limit per window, 5 its window in ms, 6 what is left of it; empty = HubSpot did not say
--       7 daily limit, 8 what is left of it; empty = HubSpot did not say
--       9 1 = the answer shows that HubSpot's API works
--       10 1 = no limit has refused the request
-- Answer: for how many ms the breaker was open, if this answer has closed it, else 0
--
-- Atomic because the count that HubSpot answered is compared with the log, and the most that was
-- seen of others is read, compared and written.

local kind = ARGV[1]
local max, window, remaining = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local daily, left = tonumber(ARGV[7]), tonumber(ARGV[8])
local now = now_ms()
local since = whole(kept_since(KEYS[1], now))

-- Enters the requests that HubSpot has counted and that were granted before Redis lost them. When
-- they were granted is lost as well: they count as if they had been granted now.
local function fill(number)
  local last = redis.call('HINCRBY', KEYS[2], 'serial', number)
  for member = last - number + 1, last do
    redis.call('ZADD', KEYS[3], whole(now), whole(member))
  end
  if redis.call('PTTL', KEYS[3]) < 2 * window then
    redis.call('PEXPIRE', KEYS[3], 2 * window)
  end
end

local function remember(others)
  local known = redis.call('HMGET', KEYS[2], 'period', 'others', 'others:before')
  local period = period_of(now, window)
  local most, before = seen_of_others(
    period, tonumber(known[1]), tonumber(known[2]), tonumber(known[3])
  )
  redis.call(
    'HSET', KEYS[2], 'period', whole(period), 'others', whole(math.max(most, others)),
    'others:before', whole(before)
  )
end

if daily and left then
  redis.call('HSET', KEYS[2], 'daily', whole(daily), 'left', whole(left), 'seen', whole(now))
end

local others = 0
if kind == 'burst' and max and remaining then
  pull_back(KEYS[3], now)
  -- What the log held when the request was sent is what HubSpot can have counted of ours.
  local sent = now - tonumber(ARGV[2])
  local ours = redis.call('ZCOUNT', KEYS[3], whole(sent - window), whole(sent))
  others = math.max(0, max - remaining - ours)
  local unsure = now - tonumber(since) <= window and redis.call('HGET', KEYS[2], 'sure') ~= since
  redis.call('HSET', KEYS[2], 'max', whole(max), 'interval', whole(window), 'sure', since)
  if unsure and others > 0 then
    fill(others)
  elseif others > 0 then
    remember(others)
  end
elseif kind == 'burst' then
  redis.call('HSET', KEYS[2], 'blind', since)
end
if ARGV[9] == '1' and ARGV[10] == '1' then
  -- The day's rest is over, and so is the day. A later word of HubSpot's stands.
  local rested = tonumber(redis.call('HGET', KEYS[2], 'cool:daily') or nil)
  if rested and rested <= now then redis.call('HDEL', KEYS[2], 'cool:daily', 'look:daily') end
end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return ARGV[9] == '1' and recover(KEYS[4], KEYS[5], KEYS[6], now) or 0
