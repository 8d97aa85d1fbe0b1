-- Writes down what a turn has done, and perhaps ends it. Follows common.
--
-- ARGV[1]  portal
-- ARGV[2]  the holder's word
-- ARGV[3]  for how many more ms it may hold the account
-- ARGV[4]  in how many ms the account wants a worker again, which ends the turn; -1 = it goes on
-- ARGV[5]  id of the request that has become a run, and is no longer asked for; empty = none
-- ARGV[6]… fields and values of the hash; an empty value removes the field
-- Answer   1, or 0 if the account was taken over: then nothing is written
--
-- Atomic because a worker that was slow must not undo what its successor has done.

local portal, holder, again_in = ARGV[1], ARGV[2], tonumber(ARGV[4])
if redis.call('HGET', place, 'holder') ~= holder then return 0 end
for i = 6, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', place, ARGV[i])
  else
    redis.call('HSET', place, ARGV[i], ARGV[i + 1])
  end
end
if ARGV[5] ~= '' then
  local asked = redis.call('HGET', place, 'asked')
  if asked and cjson.decode(asked).id == ARGV[5] then redis.call('HDEL', place, 'asked') end
end
if again_in < 0 then
  local until_ms = now + tonumber(ARGV[3])
  redis.call('HSET', place, 'until', whole(until_ms))
  redis.call('ZADD', due, whole(until_ms), portal)
  return 1
end
redis.call('HDEL', place, 'holder', 'until')
local idle = redis.call('HEXISTS', place, 'run') == 0
if idle and redis.call('HEXISTS', place, 'asked') == 1 then again_in = 0 end
redis.call('ZADD', due, whole(now + again_in), portal)
return 1
