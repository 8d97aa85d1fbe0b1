-- Begins a turn: one worker goes on with the run until its lease ends.
--
-- ARGV[1]  the run, `<portal>:<reads>`, 2 who asks, 3 the lease in ms
-- Answer   msgpack {now, run}; nil if the run needs no turn now, or somebody else has it
--
-- Atomic because of two that come at once one must have the turn.

local EARLY = 20 -- ms that a turn may come before it is due

local member, holder = ARGV[1], ARGV[2]
local run = read_run(member)
if not run or not ACTIVE[run.state] then return false end
if tonumber(run.due_at) > now + EARLY then return false end
local lease_until = tonumber(run.lease_until) or 0
if run.holder and run.holder ~= '' and run.holder ~= holder and lease_until > now then
  remember(member, lease_until)
  return false
end
local until_ms = now + tonumber(ARGV[3])
redis.call('HSET', record_key(member),
  'holder', holder, 'lease_until', whole(until_ms), 'state', 'running', 'why', '')
remember(member, until_ms)
return cmsgpack.pack({now, read_run(member)})
