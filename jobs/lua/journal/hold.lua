-- Makes a worker the journal's one reader, or keeps it so.
--
-- KEYS[1]  the journal's hash
-- ARGV[1]  the worker
-- ARGV[2]  for how many ms it is the reader unless it says so again
-- Answer   the offset to go on from, empty at the very beginning; nil while another worker reads
--
-- Atomic because two workers that find the last reader gone must not both follow it.

local place, worker = KEYS[1], ARGV[1]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local holder = redis.call('HGET', place, 'holder')
local until_ms = tonumber(redis.call('HGET', place, 'until') or '0')
if holder and holder ~= worker and until_ms > now then return false end
redis.call('HSET', place, 'holder', worker, 'until', string.format('%.0f', now + tonumber(ARGV[2])))
return redis.call('HGET', place, 'offset') or ''
