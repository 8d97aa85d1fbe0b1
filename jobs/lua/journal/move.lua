-- Moves the journal's offset on from the one that the reader began with.
--
-- KEYS[1]  the journal's hash
-- ARGV[1]  the offset that was gone on from; empty = the very beginning
-- ARGV[2]  the offset to go on from next; empty = the very beginning
-- Answer   1, or 0 if another reader has moved it meanwhile: then nothing is done
--
-- Atomic because a reader that was slow must not lead its successor back.

local place = KEYS[1]
if (redis.call('HGET', place, 'offset') or '') ~= ARGV[1] then return 0 end
if ARGV[2] == '' then
  redis.call('HDEL', place, 'offset')
else
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  redis.call('HSET', place, 'offset', ARGV[2], 'moved_at', string.format('%.0f', now))
end
return 1
