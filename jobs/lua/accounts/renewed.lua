-- Keeps refreshed tokens. Follows record.
--
-- ARGV[1]  the version that was refreshed
-- ARGV[2]  the new tokens, sealed
-- ARGV[3]  how long the access token lives, in ms
-- ARGV[4]  how long ago it was asked for, in ms
-- ARGV[5]  scopes, separated by spaces; empty = as they were
-- Answer   1, or 0 if the account has other tokens by now, or none, or is void: then nothing is kept
--
-- Atomic because a new install that came meanwhile must not be overwritten.

local held = redis.call('HMGET', record, 'version', 'void')
if held[1] ~= ARGV[1] or held[2] then return 0 end
redis.call('HSET', record,
  'version', string.format('%.0f', math.max(ARGV[1] + 1, now)),
  'sealed', ARGV[2],
  'life', ARGV[3],
  'expires_at', string.format('%.0f', now - ARGV[4] + ARGV[3]),
  'refreshed_at', string.format('%.0f', now))
if ARGV[5] ~= '' then redis.call('HSET', record, 'scopes', ARGV[5]) end
redis.call('HDEL', record, 'lease', 'retry_at', 'failures', 'failure')
return 1
