-- Drops an account's record and closes the portal. Follows ledger/common, ledger/doors.
--
-- KEYS[2]  the account's record, a hash
-- KEYS[3]  the installed accounts, a sorted set
-- ARGV[3]  portal
-- ARGV[4]  why
-- Answer   how many claims of the portal are still alive
--
-- Atomic because no claim may begin once the tokens are gone.

local portal = ARGV[3]
redis.call('UNLINK', KEYS[2])
redis.call('ZREM', KEYS[3], portal)
if redis.call('EXISTS', prefix .. portal) == 1 then close_door(portal, ARGV[4]) end
redis.call('ZREMRANGEBYSCORE', room(portal, 'claims'), '-inf', now)
return redis.call('ZCARD', room(portal, 'claims'))
