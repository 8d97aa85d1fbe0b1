-- Hashes that stay small: tables of records that grow by linear hashing, one bucket at a time.
--
-- Bucket 0 of a table is the key `<base>`, bucket n is `<base>:<n>`; each is a Redis hash small
-- enough to stay one compact listpack (512 fields unless the server is told otherwise). A field's
-- bucket is decided by its leading number, so all fields that start alike lie together. Fields
-- without one, such as `buckets` and `count`, belong to the table and stay in bucket 0.

local LOAD = 64 -- records per bucket, on average

-- The largest power of two that is not above `buckets`.
local function doubled(buckets)
  local size = 1
  while size * 2 <= buckets do size = size * 2 end
  return size
end

local function open_table(base)
  local meta = redis.call('HMGET', base, 'buckets', 'count', 'generation')
  local buckets = tonumber(meta[1]) or 1
  return {
    base = base,
    exists = meta[1] ~= false,
    buckets = buckets,
    size = doubled(buckets),
    count = tonumber(meta[2]) or 0,
    generation = tonumber(meta[3]) or 1,
  }
end

local function save_table(t)
  redis.call('HSET', t.base, 'buckets', t.buckets, 'count', t.count)
  t.unsaved = false
end

local function bucket_key(t, index)
  return index == 0 and t.base or t.base .. ':' .. index
end

local hashes = {} -- of this script's numbers: each is placed two or three times

local function hash_of(number)
  local hash = hashes[number]
  if not hash then
    hash = tonumber(string.sub(redis.sha1hex(number), 1, 8), 16)
    hashes[number] = hash
  end
  return hash
end

-- The bucket of fields that start with `number`.
local function place(t, number)
  local index = hash_of(number) % (t.size * 2)
  return index < t.buckets and index or index - t.size
end

local function bucket_of(t, number)
  return bucket_key(t, place(t, number))
end

-- Adds a bucket, and moves what belongs to it out of the only one that this can lie in: some sixty
-- fields, in one step.
local function split(t)
  local last = t.buckets
  local from, to = bucket_key(t, last - t.size), bucket_key(t, last)
  t.buckets, t.size = last + 1, doubled(last + 1)
  local fields, gone, moved = redis.call('HGETALL', from), {}, {}
  for i = 1, #fields, 2 do
    local number = string.match(fields[i], '^%d+')
    if number and place(t, number) == last then
      gone[#gone + 1] = fields[i]
      moved[#moved + 1], moved[#moved + 2] = fields[i], fields[i + 1]
    end
  end
  if #gone > 0 then
    redis.call('HDEL', from, unpack(gone))
    redis.call('HSET', to, unpack(moved))
  end
end

-- Counts a record that is about to be written and makes room. Who calls it saves the table in the
-- end, unless there was a split: then it is saved.
local function count_one(t)
  t.count = t.count + 1
  t.unsaved = true
  if t.count > LOAD * t.buckets then
    split(t)
    save_table(t)
  end
end

-- Counts records that are about to be written, or were removed, and makes room.
local function count_in(t, records)
  t.count = t.count + records
  if t.count > LOAD * t.buckets then split(t) end
  save_table(t)
end
