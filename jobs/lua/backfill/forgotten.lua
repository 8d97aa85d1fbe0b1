-- Finds runs that want a turn and of which nothing was heard: their turn was lost.
--
-- KEYS[2]  the queue that turns are asked for on, a sorted set
-- ARGV[1]  ms after which a turn that was asked for counts as lost, 2 the same while the queue is
--          long, 3 the length from which on it is, 4 the most runs to answer
-- Answer   msgpack array of runs, `<portal>:<reads>`
--
-- Atomic because two workers that look at once must not both ask for the same turn.

local crowded = redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[3])
local lost_ms = tonumber(crowded and ARGV[2] or ARGV[1])
local found = redis.call('ZRANGEBYSCORE', runs_key, '-inf', whole(now), 'LIMIT', 0, ARGV[4])
local lost = {}
for _, member in ipairs(found) do
  local state = redis.call('HGET', record_key(member), 'state')
  if not state then
    redis.call('ZREM', runs_key, member)
  elseif ACTIVE[state] then
    lost[#lost + 1] = member
    remember(member, now + lost_ms)
  else
    remember(member, nil)
  end
end
return cmsgpack.pack(lost)
