-- Changes a run's record if it still is what the caller saw: compare and set.
-- Follows common, deadletters/bury.
--
-- KEYS[2]  the dead letters' stream
-- ARGV[1]  the run, `<portal>:<reads>`
-- ARGV[2]  msgpack map: expect (field -> value; absent counts as empty), states (those in which it
--          may be changed), set (field -> value), add (field -> number), later (field -> ms from
--          now), forgotten (ms from now until the run counts as forgotten; absent = never)
-- ARGV[3]  how many values a dead letter has, names included
-- ARGV[4]… the fields of dead letters, one letter after the other
-- Answer   msgpack {1 if it was changed else 0, now, run or nil}
--
-- Atomic because of two turns that read the same page only one may move the cursor and count, and
-- what the page set aside must be written once, in the step that leaves the page behind.

local member, order = ARGV[1], cmsgpack.unpack(ARGV[2])
local key = record_key(member)
local run = read_run(member)

local function is_as_expected()
  if not run then return false end
  for name, value in pairs(order.expect) do
    if (run[name] or '') ~= tostring(value) then return false end
  end
  for _, state in ipairs(order.states) do
    if run.state == state then return true end
  end
  return false
end

if not is_as_expected() then return cmsgpack.pack({0, now, run}) end
local changed = {}
local function set(name, value)
  run[name] = type(value) == 'number' and string.format('%.15g', value) or value
  changed[#changed + 1], changed[#changed + 2] = name, run[name]
end
for name, value in pairs(order.set) do set(name, value) end
for name, value in pairs(order.later) do set(name, now + value) end
for name, value in pairs(order.add) do set(name, (tonumber(run[name]) or 0) + value) end
redis.call('HSET', key, unpack(changed))
remember(member, order.forgotten and now + order.forgotten)
local length = tonumber(ARGV[3])
for from = 4, #ARGV, length do bury(KEYS[2], from, length) end
return cmsgpack.pack({1, now, run})
