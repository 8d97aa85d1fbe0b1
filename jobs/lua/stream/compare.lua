-- Compares what a listing shows with the records. Follows clock, table, records.
--
-- KEYS[1]  the partition's clock
-- KEYS[2]  root of the partition's records
-- KEYS[3]  hash of the portal's refused states (publish.lua)
-- ARGV[1]  msgpack map: portal, generation (of the projection that was read with), seen (highest
--          clock value the process knows of), confirms (whether all that makes a state was seen),
--          views: array of maps of call, updated_at (ms), state, and high and low (halves of the
--          digest) where the digest is known
--
-- Answers msgpack: clock, generation that the partition knows, and for each view what it is to us and
-- the stamp of its record: `same`, `newer` (HubSpot's time is later than ours), `other`, `unknown`.
-- No views are compared if their generation is older than the partition's.
--
-- Without a digest a state is the same if HubSpot's time is not later than ours, and nothing is
-- known about associations. What is the same is confirmed as rule 3 of publish.lua does; what is not
-- is left alone, for it has to be read.
--
-- Atomic because a stamp is raised only if the record still holds the state that was compared.

local STATES = {live = 0, archived = 1}
local ERASED = 4

local batch = cmsgpack.unpack(ARGV[1])
local clock = next_clock(KEYS[1], batch.seen)
local records = open_records(KEYS[2], batch.portal)

local function is_same(view, record)
  if record.state == ERASED then return view.state == 'archived' end
  if view.high then return record.high == view.high and record.low == view.low end
  return record.state == STATES[view.state] and view.updated_at <= record.updated_at
end

local function compare(view)
  local record = find_record(records, view.call)
  if not record then return {'unknown', 0} end
  clock = math.max(clock, record.stamp)
  if not is_same(view, record) then
    return {view.updated_at > record.updated_at and 'newer' or 'other', record.stamp}
  end
  if batch.confirms then
    record.stamp = clock
    record.updated_at = math.max(record.updated_at, view.updated_at)
    keep_record(records, view.call, record, false)
    redis.call('HDEL', KEYS[3], view.call)
  end
  return {'same', record.stamp}
end

if batch.generation < records.own.generation then
  return cmsgpack.pack({clock, records.own.generation, {}})
end
local answers = {}
for index, view in ipairs(batch.views) do answers[index] = compare(view) end
keep_clock(KEYS[1], clock)
return cmsgpack.pack({clock, records.own.generation, answers})
