-- Counts calls whose change no notification told of. Follows common.
--
-- KEYS[3]  `reconciliation:<portal>:missed`  list: the latest of them, newest first
-- ARGV[1]  the oldest age among them in ms; -1 = none is known
-- ARGV[2]  how many the list may hold
-- ARGV[3]… one JSON object each
--
-- Atomic because the largest of two ages is read and written.

local age = tonumber(ARGV[1])
redis.call('HINCRBY', place, 'missed', #ARGV - 2)
redis.call('HSET', place, 'missed_at', whole(now))
local oldest = tonumber(redis.call('HGET', place, 'missed_age') or '-1')
if age > oldest then redis.call('HSET', place, 'missed_age', whole(age)) end
for i = 3, #ARGV do redis.call('LPUSH', KEYS[3], ARGV[i]) end
redis.call('LTRIM', KEYS[3], 0, tonumber(ARGV[2]) - 1)
return 1
