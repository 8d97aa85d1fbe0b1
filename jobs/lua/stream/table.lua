-- Hashes that stay small: tables of records that grow by linear hashing, one bucket at a time.
--
-- Bucket 0 of a table is the key `<base>`, bucket n is `<base>:<n>`; each is a Redis hash small
-- enough to stay one compact listpack (512 fields unless the server is told otherwise). A field's
-- bucket is decided by its leading number, so all fields that start alike lie together. Fields
-- without one, such as `buckets` and `count`, belong to the table and stay in bucket 0.

local LOAD = 64 -- records per bucket, on average

local function open_table(base)
  local meta = redis.call('HMGET', base, 'buckets', 'count', 'generation')
  return {
    base = base,
    exists = meta[1] ~= false,
    buckets = tonumber(meta[1]) or 1,
    count = tonumber(meta[2]) or 0,
    generation = tonumber(meta[3]) or 1,
  }
end

local function save_table(t)
  redis.call('HSET', t.base, 'buckets', t.buckets, 'count', t.count)
end

local function bucket_key(t, index)
  return index == 0 and t.base or t.base .. ':' .. index
end

-- The largest power of two that is not above `buckets`.
local function doubled(buckets)
  local size = 1
  while size * 2 <= buckets do size = size * 2 end
  return size
end

-- The bucket of fields that start with `number`, among so many buckets.
local function place(number, buckets)
  local hash = tonumber(string.sub(redis.sha1hex(number), 1, 8), 16)
  local size = doubled(buckets)
  local index = hash % (size * 2)
  return index < buckets and index or index - size
end

local function bucket_of(t, number)
  return bucket_key(t, place(number, t.buckets))
end

-- Adds a bucket, and moves what belongs to it out of the only one that this can lie in.
local function split(t)
  local last = t.buckets
  local from, to = bucket_key(t, last - doubled(last)), bucket_key(t, last)
  t.buckets = last + 1
  local fields = redis.call('HGETALL', from)
  for i = 1, #fields, 2 do
    local number = string.match(fields[i], '^%d+')
    if number and place(number, t.buckets) == last then
      redis.call('HDEL', from, fields[i])
      redis.call('HSET', to, fields[i], fields[i + 1])
    end
  end
end

-- Counts records that are about to be written, or were removed, and makes room.
local function count_in(t, records)
  t.count = t.count + records
  if t.count > LOAD * t.buckets then split(t) end
  save_table(t)
end
