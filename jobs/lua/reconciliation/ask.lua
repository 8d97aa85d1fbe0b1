-- Asks for a run of an account. Follows common.
--
-- ARGV[1]  portal
-- ARGV[2]  the request's id
-- ARGV[3]  since when, HubSpot's epoch ms; 0 = since the watermark
-- ARGV[4]  1 = a full round
-- Answer   the id of the run to come: that of an earlier request if one is waiting, which then
--          covers both
--
-- Atomic because two requests at once must come to one run.

local asked = redis.call('HGET', place, 'asked')
local since, full, id = tonumber(ARGV[3]), ARGV[4] == '1', ARGV[2]
if asked then
  local earlier = cjson.decode(asked)
  id = earlier.id
  full = full or earlier.full
  if since == 0 then
    since = earlier.since
  elseif earlier.since > 0 then
    since = math.min(since, earlier.since)
  end
end
redis.call('HSET', place, 'asked',
  string.format('{"id":"%s","since":%s,"full":%s}', id, whole(since), tostring(full)))
if not held_by_other('') then redis.call('ZADD', due, whole(now), ARGV[1]) end
return id
