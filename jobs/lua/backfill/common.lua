-- What every script of the backfills shares: the clock, the key layout, reading a record.
--
-- KEYS[1]  the sorted set of runs: `<portal>:<reads>` -> when the run counts as forgotten; every
--          other key continues this one, which is why it lies on the ledger's Redis, never a cluster
--
-- Time is the server's, in epoch ms, read once per script.

local runs_key = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local ACTIVE = {queued = true, running = true, waiting = true}

local function whole(number)
  return string.format('%.0f', number)
end

local function record_key(member)
  return runs_key .. ':' .. member
end

-- The record as a map; nil if there is none.
local function read_run(member)
  local fields = redis.call('HGETALL', record_key(member))
  if #fields == 0 then return nil end
  local run = {}
  for i = 1, #fields, 2 do run[fields[i]] = fields[i + 1] end
  return run
end

-- When the run is to be asked for again if nothing is heard of it; nil = it needs no turns.
local function remember(member, moment)
  redis.call('ZADD', runs_key, moment and whole(moment) or '+inf', member)
end

-- Begins a run, unless one of its kind is unfinished. Answers whether it is new, and the run.
local function begin_run(portal, reads, ceiling, bell_ms)
  local member = portal .. ':' .. reads
  local held = read_run(member)
  if held and (ACTIVE[held.state] or held.state == 'paused') then return 0, held end
  redis.call('DEL', record_key(member))
  local number = redis.call('INCR', runs_key .. ':serial')
  redis.call('HSET', record_key(member),
    'id', portal .. '-' .. reads .. '-' .. number, 'portal_id', portal, 'reads', reads,
    'state', 'queued', 'step', 0, 'ceiling', ceiling, 'started_at', whole(now), 'due_at', whole(now))
  remember(member, now + bell_ms)
  return 1, read_run(member)
end
