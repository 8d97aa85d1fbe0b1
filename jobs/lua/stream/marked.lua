-- Notes that every call known when a projection's generation began has been marked.
--
-- KEYS[1]  hash of the portal's projection
-- ARGV[1]  the generation
--
-- Answers 1, or 0 if the hash knows no such generation: its account was removed meanwhile, or Redis
-- has lost data, and nothing of it must come back. Atomic so that it is not removed in between.

local generation = tonumber(redis.call('HGET', KEYS[1], 'generation') or nil)
if not generation or generation < tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'marked', ARGV[1])
return 1
