-- Reads some of a portal's records in one partition. Follows table, records.
--
-- KEYS[1]  root of the partition's records
-- ARGV[1]  portal
-- ARGV[2]  bucket to begin with: 0, then what the last answer named
--
-- Answers the bucket to go on with, -1 at the end, and then calls and records in turn. Atomic so
-- that a bucket's split, or a portal's move, lies before or after: what a split takes out of a bucket
-- not yet read goes to one that is read later, so each call is read at least once.

local AT_ONCE = 8 -- buckets

local records = open_records(KEYS[1], ARGV[1])
if records.small then return {-1, unpack(small_records(records))} end

local own, bucket = records.own, tonumber(ARGV[2])
local answer = {-1}
for index = bucket, math.min(bucket + AT_ONCE, own.buckets) - 1 do
  local fields = redis.call('HGETALL', bucket_key(own, index))
  for i = 1, #fields, 2 do
    if string.find(fields[i], '^%d') then
      answer[#answer + 1], answer[#answer + 2] = fields[i], fields[i + 1]
    end
  end
end
if bucket + AT_ONCE < own.buckets then answer[1] = bucket + AT_ONCE end
return answer
