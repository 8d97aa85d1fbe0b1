-- Notes that the journal holds nothing that was not read.
--
-- KEYS[1]  the journal's hash
-- ARGV[1]  the worker that was told so
-- Answer   1, or 0 if it is no longer the reader
--
-- Atomic because a worker that was slow must not speak for its successor.

if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('HSET', KEYS[1], 'caught_up_at', string.format('%.0f', now))
return 1
