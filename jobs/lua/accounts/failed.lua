-- Notes that a refresh failed, and until when none is tried again. Follows record.
--
-- ARGV[1]  the asker that was to refresh
-- ARGV[2]  how long to wait after a first failure, in ms; doubles with each
-- ARGV[3]  how long to wait at most, in ms
-- ARGV[4]  how long HubSpot asks to wait at least, in ms
-- ARGV[5]  the kind of failure
-- Answer   how long it is until the next try, in ms; 0 if somebody else is at it
--
-- Atomic because the record of an account that was removed, or installed anew, must not be touched.

local asker, leased_until = string.match(redis.call('HGET', record, 'lease') or '', '^(.*):(%d+)$')
if asker ~= ARGV[1] then return 0 end
local failures = redis.call('HINCRBY', record, 'failures', 1)
local wait = math.min(ARGV[2] * 2 ^ math.min(failures - 1, 30), tonumber(ARGV[3]))
wait = math.max(wait, tonumber(ARGV[4]))
redis.call('HSET', record, 'retry_at', string.format('%.0f', now + wait), 'failure', ARGV[5])
redis.call('HDEL', record, 'lease')
return wait
