-- Marks an account's tokens as void and closes the portal. Follows ledger/common, ledger/doors.
--
-- KEYS[2]  the account's record, a hash
-- ARGV[3]  portal
-- ARGV[4]  the version that HubSpot has refused
-- ARGV[5]  why
-- Answer   1, or 0 if the account has other tokens by now, or none: then nothing is done
--
-- Atomic because a new install that comes between a refusal and its consequence must stand.

local portal, record = ARGV[3], KEYS[2]
if redis.call('HGET', record, 'version') ~= ARGV[4] then return 0 end
redis.call('HSET', record, 'void', ARGV[5], 'void_at', now)
redis.call('HDEL', record, 'lease', 'retry_at', 'failures', 'failure')
close_door(portal, ARGV[5])
return 1
