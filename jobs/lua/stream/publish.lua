-- Publishes, out of one batch of reads, what is new. Follows clock, table, records, pulse/beat.
--
-- KEYS[1]  the partition's stream
-- KEYS[2]  the partition's clock
-- KEYS[3]  root of the partition's records; their keys continue it and share its hash tag
-- KEYS[4]  hash of the portal's refused states: call -> digest (two halves), since when, how often
-- KEYS[5]  the partition's pulse
-- ARGV[1]  msgpack map: portal, process, source, schema, generation (of the projection that was read with),
--          seen (highest clock value the process knows of), revert_after (ms), fresh (ms that a
--          call takes at least to be found gone), max_age (ms, 0 = for ever), candidates: array of
--          maps of call, ticket, updated_at (ms), high and low (halves of the digest), state,
--          first_type, time, data and, with tracing, traceparent
--
-- Answers msgpack: clock, generation that the partition knows, an outcome for each candidate in its
-- order, epoch and count; no outcomes, and nothing was done, if the candidates' generation is older
-- than that.
--
-- Atomic because a record, the stream and the clock must move together: between looking at a record
-- and appending an event no other reader's answer may slip in.

local STATES = {live = 0, archived = 1, gone = 2, merged = 3, erased = 4}
local LIVE, ARCHIVED = STATES.live, STATES.archived
local INSISTS = 3 -- so often must HubSpot repeat an older state before it is believed

local batch = cmsgpack.unpack(ARGV[1])
local epoch, count = beat(KEYS[5], batch.process)
local stream, refused = KEYS[1], KEYS[4]
local now = server_ms()
local clock = next_clock(KEYS[2], batch.seen)
local records = open_records(KEYS[3], batch.portal)
local may_be_refused = redis.call('EXISTS', refused) == 1

-- How often in a row, this time included, HubSpot gave this older state, and since when.
local function count_refusals(candidate)
  local held = redis.call('HGET', refused, candidate.call)
  if held then
    local high, low, since, times = struct.unpack('>I4I4I6I4', held)
    if high == candidate.high and low == candidate.low and since <= now then
      return times + 1, since
    end
  end
  return 1, now
end

local function refuse(candidate, times, since)
  redis.call('HSET', refused, candidate.call,
    struct.pack('>I4I4I6I4', candidate.high, candidate.low, since, times))
  redis.call('PEXPIRE', refused, 10 * batch.revert_after)
  may_be_refused = true
end

local function forget_refusals(call)
  if may_be_refused then redis.call('HDEL', refused, call) end
end

-- The event's type, by the last published state and the new one; nil for a call that is gone before
-- it was ever seen, which is no event.
local function event_type(record, candidate)
  local state = STATES[candidate.state]
  local was_published = record and record.version > 0
  if not was_published then return state <= ARCHIVED and candidate.first_type or nil end
  if record.state == LIVE then return state == LIVE and 'updated' or 'deleted' end
  return state == LIVE and 'restored' or 'updated'
end

local function append(candidate, kind, version)
  local key, digits = batch.portal .. ':' .. candidate.call, string.format('%020.0f', version)
  local id = key .. ':' .. string.match(digits, '[1-9]%d*')
  if candidate.traceparent then
    redis.call('XADD', stream, '*', 'specversion', '1.0', 'id', id, 'source', batch.source,
      'type', 'callstream.call.' .. kind, 'subject', candidate.call, 'time', candidate.time,
      'datacontenttype', 'application/json', 'dataschema', batch.schema, 'partitionkey', key,
      'sequence', digits, 'traceparent', candidate.traceparent, 'data', candidate.data)
    return
  end
  redis.call('XADD', stream, '*', 'specversion', '1.0', 'id', id, 'source', batch.source,
    'type', 'callstream.call.' .. kind, 'subject', candidate.call, 'time', candidate.time,
    'datacontenttype', 'application/json', 'dataschema', batch.schema, 'partitionkey', key,
    'sequence', digits, 'data', candidate.data)
end

-- The same state again: it is confirmed as of now, so that a read from before cannot undo it.
local function confirm(candidate, record)
  record.stamp = clock
  record.updated_at = math.max(record.updated_at, candidate.updated_at)
  if candidate.state == 'erased' then record.state = STATES.erased end
  keep_record(records, candidate.call, record, false)
  forget_refusals(candidate.call)
  return {'unchanged'}
end

local function publish(candidate, record, reverted)
  local kind = event_type(record, candidate)
  if not kind then return {'unknown'} end
  local last = record or {version = 0, updated_at = 0}
  clock = math.max(clock, last.version + 1)
  append(candidate, kind, clock)
  keep_record(records, candidate.call, {
    version = clock,
    stamp = clock,
    updated_at = reverted and candidate.updated_at
      or math.max(last.updated_at, candidate.updated_at),
    high = candidate.high,
    low = candidate.low,
    state = STATES[candidate.state],
  }, not record)
  forget_refusals(candidate.call)
  return {'published', clock, kind, reverted}
end

-- An erasure of a call that was never published is no event, and kept all the same: a replica that
-- lags behind would publish what nobody may see.
local function note_erasure(candidate)
  keep_record(records, candidate.call, {
    version = 0,
    stamp = clock,
    updated_at = 0,
    high = candidate.high,
    low = candidate.low,
    state = STATES.erased,
  }, true)
  return {'unknown'}
end

-- Whether the read may come from a replica that lags behind what was published. One that shows a call
-- which was deleted for privacy does, whatever its time.
local function is_older(candidate, record)
  if record.state == STATES.erased then return candidate.state == 'live' end
  return STATES[candidate.state] <= ARCHIVED and candidate.updated_at < record.updated_at
end

local function decide(candidate)
  local record = find_record(records, candidate.call)
  if not record then
    if candidate.state == 'erased' then return note_erasure(candidate) end
    -- A call that came and went since this read began left no record to tell: read again.
    local is_old = STATES[candidate.state] <= ARCHIVED and clock - candidate.ticket > batch.fresh
    return is_old and {'overtaken'} or publish(candidate, nil, false)
  end
  clock = math.max(clock, record.stamp) -- a clock that was lost catches up here
  local same = record.high == candidate.high and record.low == candidate.low
    or (record.state == STATES.merged and candidate.state == 'gone') -- it says less, not otherwise
    or (record.state == STATES.erased and candidate.state ~= 'live') -- what is left is not told

  -- Rule 1: somebody published or confirmed since this read began.
  if candidate.ticket <= record.stamp and not same then return {'overtaken'} end

  -- Rule 2: an older state is refused until HubSpot has insisted on it.
  local reverted = false
  if is_older(candidate, record) and not same then
    local times, since = count_refusals(candidate)
    reverted = times >= INSISTS and now - since >= batch.revert_after
    if not reverted then
      refuse(candidate, times, since)
      return {'lagging', times}
    end
  end

  -- Rule 3: the published state again.
  if same then return confirm(candidate, record) end

  -- Rule 4: a new state.
  return publish(candidate, record, reverted)
end

if batch.generation < records.own.generation then
  return cmsgpack.pack({clock, records.own.generation, {}, epoch, count})
end
if batch.generation > records.own.generation then keep_generation(records, batch.generation) end

local outcomes, published = {}, false
for index, candidate in ipairs(batch.candidates) do
  outcomes[index] = decide(candidate)
  published = published or outcomes[index][1] == 'published'
end
save_counts(records)
keep_clock(KEYS[2], clock)
if published and batch.max_age > 0 then
  redis.call('XTRIM', stream, 'MINID', '~', string.format('%.0f', now - batch.max_age))
end
return cmsgpack.pack({clock, records.own.generation, outcomes, epoch, count})
