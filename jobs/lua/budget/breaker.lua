-- The breaker: HubSpot's API as a whole is out, and is asked now and then whether it is back.
--
-- Closed, its key is absent. Open, it is a hash: `since`; `probe_at`, when one taker may go on;
-- `wait`, the ms between two probes. The accounts that failed since the last answer lie in a sorted
-- set of their own, account -> when. All times are epoch ms.

-- Returns when the next probe may be sent, or nil while the breaker is closed.
local function probe_time(breaker)
  return tonumber(redis.call('HGET', breaker, 'probe_at') or nil)
end

-- Lets one taker through: the next one goes twice as long after it as it went after its predecessor.
local function send_probe(breaker, now, longest)
  local wait = math.min(longest, 2 * tonumber(redis.call('HGET', breaker, 'wait')))
  redis.call('HSET', breaker, 'probe_at', whole(now + wait), 'wait', whole(wait))
end

-- Counts an account's failure; opens the breaker, and returns 1, once `enough` accounts have failed
-- with no answer in between.
local function fail(breaker, failing, portal, now, enough, first_wait, remembered)
  redis.call('ZADD', failing, whole(now), portal)
  redis.call('PEXPIRE', failing, remembered)
  if redis.call('ZCARD', failing) < enough or redis.call('EXISTS', breaker) == 1 then return 0 end
  redis.call(
    'HSET', breaker, 'since', whole(now), 'probe_at', whole(now + first_wait), 'wait', first_wait
  )
  return 1
end

-- Takes an answer for the end of all failures, and leaves the accounts that are to be woken up.
-- Returns for how many ms the breaker was open, 0 if it was not.
local function recover(breaker, failing, waking, now)
  if redis.call('EXISTS', breaker, failing) == 0 then return 0 end
  local since = tonumber(redis.call('HGET', breaker, 'since') or nil)
  if not since then
    redis.call('DEL', failing)
    return 0
  end
  redis.call('ZUNIONSTORE', waking, 2, waking, failing)
  redis.call('DEL', breaker, failing)
  return math.max(1, now - since)
end
