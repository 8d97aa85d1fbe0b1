-- Drops an account's record and closes the portal. Follows ledger/common, ledger/doors.
--
-- KEYS[2]  the account's record, a hash
-- KEYS[3]  the installed accounts, a sorted set
-- KEYS[4]… where the portal's backfills and its reconciliation stand, hashes
-- ARGV[3]  portal
-- ARGV[4]  why
-- Answer   how many claims and turns of the portal are still alive
--
-- Atomic because no claim may begin once the tokens are gone.

local portal = ARGV[3]
redis.call('UNLINK', KEYS[2])
redis.call('ZREM', KEYS[3], portal)
if redis.call('EXISTS', prefix .. portal) == 1 then close_door(portal, ARGV[4]) end
redis.call('ZREMRANGEBYSCORE', room(portal, 'claims'), '-inf', now)
local alive = redis.call('ZCARD', room(portal, 'claims'))
for i = 4, #KEYS do
  local turn = redis.call('HMGET', KEYS[i], 'holder', 'lease_until', 'until')
  local ends = tonumber(turn[2] or turn[3] or 0)
  if turn[1] and turn[1] ~= '' and ends > now then alive = alive + 1 end
end
return alive
