-- What the budget's scripts share: how a window counts, and since when Redis can be believed.
--
-- A log is a sorted set with one member per request, scored by when it was granted (epoch ms).

-- Numbers above 2^31 would be written with an exponent by tostring.
local function whole(number)
  return string.format('%.0f', number)
end

-- Returns how many of `limit` requests a window takes when `share` of them is ours.
local function usable(limit, share)
  return math.min(limit, math.max(1, math.floor(limit * share + 1e-9)))
end

-- How many requests others had in one window is remembered as the most that was seen in a period of
-- three windows, and in the one before it.
local function period_of(now, window)
  return math.floor(now / (3 * window))
end

-- Returns the most seen in this period and in the one before, from what was kept.
local function seen_of_others(period, kept_period, kept, kept_before)
  if period == kept_period then
    return kept, kept_before
  elseif period - 1 == kept_period then
    return 0, kept
  end
  return 0, 0
end

-- Returns the time, in epoch ms, since when Redis has lost nothing: a new data set, a restarted
-- server and a replica that took over begin it anew, because grants may be missing from then on.
local function kept_since(key, now)
  local info = redis.pcall('INFO', 'server')
  local run = type(info) == 'string' and string.match(info, 'run_id:(%x+)') or '-'
  local known = redis.call('GET', key)
  if known then
    local known_run, since = string.match(known, '^(.-)@(%d+)$')
    if known_run == run and tonumber(since) <= now then
      return tonumber(since)
    end
  end
  redis.call('SET', key, run .. '@' .. whole(now))
  return now
end

-- Requests that the log puts into the future were granted before the clock was set back: they
-- count from now, or they would fill the window for as long as it was set back.
local function pull_back(log, now)
  local last = redis.call('ZRANGE', log, -1, -1, 'WITHSCORES')
  if last[2] and tonumber(last[2]) > now then
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', log, '(' .. whole(now), '+inf')) do
      redis.call('ZADD', log, whole(now), member)
    end
  end
end

-- Returns how many requests the window holds, and the ms after which the first of them leaves it.
local function spent(log, now, window)
  local first = redis.call(
    'ZRANGEBYSCORE', log, whole(now - window), '+inf', 'WITHSCORES', 'LIMIT', 0, 1
  )
  local frees = first[2] and tonumber(first[2]) + window + 1 - now or 0
  return redis.call('ZCOUNT', log, whole(now - window), '+inf'), frees
end

-- Returns the ms after which `cost` more requests stay within `cap`; 0 = they do now. A request
-- leaves the window `window` full ms after the ms in which it was granted. A cost above the cap
-- waits for an empty window.
local function window_wait(log, now, window, cap, cost)
  local used = redis.call('ZCOUNT', log, whole(now - window), '+inf')
  local over = math.min(used, used + cost - cap)
  if over <= 0 then
    return 0
  end
  local entry = redis.call(
    'ZRANGEBYSCORE', log, whole(now - window), '+inf', 'WITHSCORES', 'LIMIT', over - 1, 1
  )
  return tonumber(entry[2]) + window + 1 - now
end
