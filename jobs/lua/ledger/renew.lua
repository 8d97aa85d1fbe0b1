-- Extends the leases of a claim that is still being worked on.
--
-- ARGV[3]  portal
-- ARGV[4]  the claim's token
-- ARGV[5]  msgpack array of its calls
-- Answer   how many calls the claim still holds
--
-- Atomic because a lease that another claim has taken over must not be extended.

local portal, token = ARGV[3], ARGV[4]
local until_ms = now + limits.lease
local kept = 0
for _, id in ipairs(cmsgpack.unpack(ARGV[5])) do
  local held = redis.call('HGET', room(portal, 'held'), id)
  if held and parse_lease(held) == token then
    redis.call('ZADD', room(portal, 'leases'), until_ms, id)
    kept = kept + 1
  end
end
if kept > 0 then redis.call('ZADD', room(portal, 'claims'), until_ms, token) end
rescore(portal, portal_state(portal))
return kept
