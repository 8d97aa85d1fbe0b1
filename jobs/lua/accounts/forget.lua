-- Forgets a portal's place in the ledger, all its marks included. Follows ledger/common.
--
-- KEYS[2]… keys that are the portal's beside the ledger
-- ARGV[3]  portal
-- Answer   how many calls were marked
--
-- Atomic because a mark that comes meanwhile must be forgotten whole, or kept whole.

local portal = ARGV[3]
local marked = redis.call('ZCARD', room(portal, 'due')) + redis.call('ZCARD', room(portal, 'leases'))
for _, name in ipairs({
  'due', 'leases', 'held', 'recent', 'hints', 'fresh', 'memo', 'bells', 'claims',
}) do
  redis.call('UNLINK', room(portal, name))
end
redis.call('UNLINK', prefix .. portal)
redis.call('ZREM', portals_key, portal)
redis.call('SREM', prefix .. 'strangers', portal)
redis.call('HDEL', prefix .. 'given-up', portal, portal .. ':at')
redis.call('SREM', prefix .. 'newcomers', portal)
for i = 2, #KEYS do redis.call('UNLINK', KEYS[i]) end
return marked
