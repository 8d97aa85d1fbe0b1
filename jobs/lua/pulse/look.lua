-- Tells a process how much of what it has committed is there, and whether a loss waits to be mended.
-- Follows beat.
--
-- KEYS[1]  the pulse: a hash, see jobs/pulse/pulse.py
-- KEYS[2]  sorted set: process -> when it looked last
-- ARGV[1]  the process
-- ARGV[2]  a process that has not looked for so many ms is forgotten
-- ARGV[3]  a loss is mended when it was reported so many ms ago: by then others have reported theirs
--
-- Answers epoch, count, now in ms, and of a loss to mend when it was reported, else 0, and since when
-- data is missing, 0 = all of it. Atomic because a process is forgotten in both places or in none.

local epoch = epoch_of(KEYS[1], ARGV[1])
local count = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local gone = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - tonumber(ARGV[2]))
if #gone > 0 then
  redis.call('HDEL', KEYS[1], unpack(gone))
  redis.call('ZREM', KEYS[2], unpack(gone))
end
redis.call('ZADD', KEYS[2], now, ARGV[1])
local held = redis.call('HMGET', KEYS[1], 'lost', 'since', 'mended')
local lost, since, mended = tonumber(held[1]) or 0, tonumber(held[2]) or 0, tonumber(held[3]) or 0
if lost <= mended or lost > now - tonumber(ARGV[3]) then lost = 0 end
return {epoch, count, now, lost, since}
