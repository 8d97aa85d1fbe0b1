-- Takes an account for one worker's turn. Follows common.
--
-- ARGV[1]  portal
-- ARGV[2]  the holder's word, which no other turn has
-- ARGV[3]  for how many ms it may hold the account without a word
-- Answer   {now, the hash's fields and values in turn}, or nothing if another holds it
--
-- Atomic because an account has one run, and a run one worker.

if held_by_other(ARGV[2]) then return false end
local until_ms = now + tonumber(ARGV[3])
redis.call('HSET', place, 'holder', ARGV[2], 'until', whole(until_ms))
redis.call('ZADD', due, whole(until_ms), ARGV[1])
return {now, redis.call('HGETALL', place)}
