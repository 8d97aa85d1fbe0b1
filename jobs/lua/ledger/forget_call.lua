-- Forgets that a call was marked, and all that was said of it. Follows common, doors.
--
-- ARGV[3]  portal
-- ARGV[4]  call
-- KEYS[2]  what is kept of the call beside the ledger
-- Answer   1 if the call was marked or being read, else 0
--
-- A lease is left to its holder, who will find the call's record changed. Atomic because the portal's
-- score must follow from what is left.

local portal, call = ARGV[3], ARGV[4]
local was_due = redis.call('ZREM', room(portal, 'due'), call)
local is_leased = redis.call('HEXISTS', room(portal, 'held'), call)
for _, name in ipairs({'hints', 'fresh', 'memo'}) do redis.call('HDEL', room(portal, name), call) end
redis.call('UNLINK', KEYS[2])
rescore(portal, portal_state(portal))
if not earliest(portal) then redis.call('SREM', prefix .. 'strangers', portal) end
return math.max(was_due, is_leased)
