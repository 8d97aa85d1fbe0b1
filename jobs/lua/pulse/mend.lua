-- Reports a loss, lets one worker mend it, or says that it is mended.
--
-- KEYS[1]  the pulse: a hash, see jobs/pulse/pulse.py
-- ARGV[1]  'report' | 'take' | 'done'
-- ARGV[2]  of report: since when data is missing, in ms, 0 = all of it; else the loss that is meant
-- ARGV[3]  of take: who mends
-- ARGV[4]  of take: how long the others wait for it, in ms
--
-- Answers 1, or 0 where another worker is at it. Atomic because one worker mends, and because a loss
-- that is reported while an earlier one waits must not shorten what is missing.

local pulse, action = KEYS[1], ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function whole(number)
  return string.format('%.0f', number)
end

if action == 'report' then
  local since = tonumber(ARGV[2])
  local held = redis.call('HMGET', pulse, 'lost', 'since', 'mended')
  local lost, mended = tonumber(held[1]) or 0, tonumber(held[3]) or 0
  if lost > mended then since = math.min(since, tonumber(held[2])) end
  redis.call('HSET', pulse, 'lost', whole(math.max(now, mended + 1)), 'since', whole(since))
  return 1
elseif action == 'take' then
  local held = redis.call('HMGET', pulse, 'mender', 'until')
  if held[1] and held[1] ~= ARGV[3] and tonumber(held[2]) > now then return 0 end
  redis.call('HSET', pulse, 'mender', ARGV[3], 'until', whole(now + tonumber(ARGV[4])))
  return 1
end
redis.call('HSET', pulse, 'mended', ARGV[2])
redis.call('HDEL', pulse, 'mender', 'until')
return 1
