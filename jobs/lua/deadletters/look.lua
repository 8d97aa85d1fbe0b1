-- Reads dead letters without their bytes.
--
-- KEYS[1]  the dead letters' stream
-- ARGV[1]  the id to begin with, as XREVRANGE takes it: the newest that is wanted
-- ARGV[2]  the id to end with: the oldest that is wanted
-- ARGV[3]  how many
--
-- Answers for each letter, the newest first: id, how many bytes it keeps, and its other fields. Only
-- reads; a script because the bytes, which are most of a letter, need not leave the server.

local answer = {}
for index, entry in ipairs(redis.call('XREVRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])) do
  local id, fields = entry[1], entry[2]
  local told, kept = {}, 0
  for i = 1, #fields, 2 do
    if fields[i] == 'raw' then
      kept = #fields[i + 1]
    else
      told[#told + 1], told[#told + 2] = fields[i], fields[i + 1]
    end
  end
  answer[index] = {id, kept, told}
end
return answer
