-- Keeps the tokens of a new install and opens the portal. Follows ledger/common, ledger/doors.
--
-- KEYS[2]  the account's record, a hash
-- KEYS[3]  the installed accounts, a sorted set: portal -> when
-- ARGV[3]  portal
-- ARGV[4]  the tokens, sealed
-- ARGV[5]  how long the access token lives, in ms
-- ARGV[6]  how long ago it was asked for, in ms
-- ARGV[7]  scopes, separated by spaces
-- Answer   msgpack array of doorbells to ring
--
-- Atomic because an account that has tokens is one whose calls are read: a process that dies between
-- the two would leave it closed.

local portal, record = ARGV[3], KEYS[2]
local version = tonumber(redis.call('HGET', record, 'version')) or 0
redis.call('HSET', record,
  'version', string.format('%.0f', math.max(version + 1, now)),
  'sealed', ARGV[4],
  'life', ARGV[5],
  'expires_at', string.format('%.0f', now - ARGV[6] + ARGV[5]),
  'scopes', ARGV[7],
  'installed_at', now,
  'refreshed_at', now)
redis.call('HDEL', record, 'lease', 'retry_at', 'failures', 'failure', 'void', 'void_at')
redis.call('ZADD', KEYS[3], now, portal)
return cmsgpack.pack(open_door(portal))
