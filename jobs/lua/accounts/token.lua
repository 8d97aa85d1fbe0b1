-- Answers an account's tokens, or whether the asker is to refresh them. Follows record.
--
-- ARGV[1]  the asker, unique to this attempt
-- ARGV[2]  the version whose access token HubSpot has refused; 0 = none
-- ARGV[3]  how long before its last usable moment a token is refreshed, in ms
-- ARGV[4]  how long before its expiry a token is not used any more, in ms
-- ARGV[5]  how long the asker may take to refresh, in ms
-- Answer   {what, version, sealed tokens, how long they are usable in ms, wait in ms, why}, where what
--          is `absent`; `void` (why); `use`, and look again after the wait; `refresh`: the asker is to
--          do it; `wait`, for the refresh of somebody else, at most so long; `later`: the last refresh
--          failed (why), the next one may begin after the wait
--
-- Atomic because one asker at a time may refresh.

local held = redis.call('HMGET', record,
  'version', 'sealed', 'expires_at', 'life', 'lease', 'retry_at', 'failure', 'void')
if not held[1] then return {'absent', 0, '', 0, 0, ''} end
local version, sealed, life = tonumber(held[1]), held[2], tonumber(held[4])
if held[8] then return {'void', version, '', 0, 0, held[8]} end

local usable = math.max(0, held[3] - math.min(tonumber(ARGV[4]), life / 10) - now)
local early = usable - math.min(tonumber(ARGV[3]), life / 4)
if tonumber(ARGV[2]) >= version then usable, early = 0, 0 end
if early > 0 then return {'use', version, sealed, usable, early, ''} end

-- A lease that ends later than any can is of before the clock was set back.
local leased_until = tonumber(string.match(held[5] or '', ':(%d+)$')) or 0
if leased_until > now and leased_until <= now + ARGV[5] then
  return {usable > 0 and 'use' or 'wait', version, sealed, usable, leased_until - now, ''}
end
local retry_at = tonumber(held[6]) or 0
if retry_at > now then
  return {usable > 0 and 'use' or 'later', version, sealed, usable, retry_at - now, held[7] or ''}
end
redis.call('HSET', record, 'lease', string.format('%s:%.0f', ARGV[1], now + ARGV[5]))
return {'refresh', version, sealed, usable, 0, ''}
