-- Moves the journal's offset on from the one that the reader began with.
--
-- KEYS[1]  the journal's hash
-- ARGV[1]  the offset that was gone on from; empty = the very beginning
-- ARGV[2]  the offset to go on from next; empty = the very beginning, because HubSpot no longer
--          keeps what followed the other one
-- ARGV[3]  when HubSpot published the file that was read, in epoch ms; 0 = unknown
-- Answer   1, or 0 if another reader has moved it meanwhile: then nothing is done
--
-- Atomic because a reader that was slow must not lead its successor back.

local place, published_at = KEYS[1], tonumber(ARGV[3])
if (redis.call('HGET', place, 'offset') or '') ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
if ARGV[2] == '' then
  redis.call('HDEL', place, 'offset')
  redis.call('HINCRBY', place, 'gaps', 1)
  redis.call('HSET', place, 'gap_at', now)
  return 1
end
redis.call('HSET', place, 'offset', ARGV[2], 'moved_at', now)
redis.call('HINCRBY', place, 'files', 1)
if published_at > 0 then
  redis.call('HSET', place, 'read_to', string.format('%.0f', published_at))
end
return 1
