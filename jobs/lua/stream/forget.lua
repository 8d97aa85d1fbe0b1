-- Forgets some of a portal's records in one partition. Follows table, records.
--
-- KEYS[1]  root of the partition's records
-- KEYS[2]  hash of the portal's refused states
-- ARGV[1]  portal
--
-- Answers how many buckets are left; to be called until none is. Atomic so that the table that portals
-- of few calls share keeps its count. The first bucket, which says how many there are, goes last.

local AT_ONCE = 200 -- buckets

local records = open_records(KEYS[1], ARGV[1])
redis.call('UNLINK', KEYS[2])

if records.small then
  local found, bucket = small_records(records), bucket_of(records.small, records.portal)
  for i = 1, #found, 2 do
    redis.call('HDEL', bucket, records.portal .. ':' .. found[i])
  end
  redis.call('HDEL', bucket, records.portal)
  if #found > 0 then count_in(records.small, -#found / 2) end
  return 0
end

local own = records.own
local left = math.max(0, own.buckets - AT_ONCE)
for index = own.buckets - 1, left, -1 do
  redis.call('UNLINK', bucket_key(own, index))
end
if left > 0 then
  own.buckets = left
  save_table(own)
end
return left
