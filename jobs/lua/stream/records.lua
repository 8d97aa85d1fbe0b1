-- A portal's records in one partition: where they lie, and the generation of its projection.
--
-- A portal of many calls has a table of its own, `<root>:<portal>`, with the call as field and the
-- generation as field `generation`. A table costs some 150 bytes however little it holds, so
-- portals of few calls share one, `<root>:small`, with `<portal>:<call>` as field and the generation
-- as field `<portal>`: all of such a portal lies in one bucket. A portal that outgrows it moves, for
-- good. Generation 1 is not written.

local SMALL = 8 -- a portal with so many records gets a table of its own
local RECORD = '>I6I6I6I4I4B' -- version, stamp, updated at, digest (two halves), state

local function open_records(root, portal)
  local records = {root = root, portal = portal, own = open_table(root .. ':' .. portal)}
  if not records.own.exists then
    records.small = open_table(root .. ':small')
    local generation = redis.call('HGET', bucket_of(records.small, portal), portal)
    records.own.generation = tonumber(generation) or 1
  end
  return records
end

-- The key and the field of a call's record.
local function locate(records, call)
  if records.small then
    return bucket_of(records.small, records.portal), records.portal .. ':' .. call
  end
  return bucket_of(records.own, call), call
end

local function find_record(records, call)
  local value = redis.call('HGET', locate(records, call))
  if not value then return nil end
  local record = {}
  record.version, record.stamp, record.updated_at, record.high, record.low, record.state =
    struct.unpack(RECORD, value)
  return record
end

-- A small portal's calls and their records, one after the other.
local function small_records(records)
  local fields = redis.call('HGETALL', bucket_of(records.small, records.portal))
  local found, start = {}, records.portal .. ':'
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, #start) == start then
      found[#found + 1] = string.sub(fields[i], #start + 1)
      found[#found + 1] = fields[i + 1]
    end
  end
  return found
end

local function keep_generation(records, generation)
  records.own.generation = generation
  if records.small then
    redis.call('HSET', bucket_of(records.small, records.portal), records.portal, generation)
  else
    redis.call('HSET', records.own.base, 'generation', generation)
  end
end

local function move_out(records, found)
  local bucket, own = bucket_of(records.small, records.portal), records.own
  for i = 1, #found, 2 do
    redis.call('HDEL', bucket, records.portal .. ':' .. found[i])
    redis.call('HSET', own.base, found[i], found[i + 1])
  end
  redis.call('HDEL', bucket, records.portal)
  count_in(records.small, -#found / 2)
  count_in(own, #found / 2)
  records.small = nil
  if own.generation > 1 then keep_generation(records, own.generation) end
end

local function keep_record(records, call, record, is_new)
  if is_new then count_one(records.small or records.own) end
  local key, field = locate(records, call)
  redis.call('HSET', key, field, struct.pack(RECORD, record.version, record.stamp,
    record.updated_at, record.high, record.low, record.state))
  if is_new and records.small and redis.call('HLEN', key) >= SMALL then
    local found = small_records(records)
    if #found / 2 >= SMALL then move_out(records, found) end
  end
end

-- Writes down how many records there are by now; to be called after new ones were kept.
local function save_counts(records)
  if records.own.unsaved then save_table(records.own) end
  if records.small and records.small.unsaved then save_table(records.small) end
end
