-- Answers which properties and associations of a portal's calls are read, and begins a new list.
--
-- KEYS[1]  hash of the portal's projection: generation, properties, associations, listed_at,
--          linked_at, used_at, marked
-- ARGV[1]  wanted properties, a sorted JSON array
-- ARGV[2]  wanted associations, likewise
-- ARGV[3]  how long in ms nobody must have wanted the held list for it to be replaced
-- ARGV[4]  the highest generation that the streams are known to hold
-- ARGV[5]  when HubSpot was asked for the wanted properties, in epoch ms; 0 = they are named by
--          settings
-- ARGV[6]  likewise for the associations
--
-- Answers generation, properties, associations, whether they are the wanted ones (0 or 1), whether
-- this generation's full round is still to be marked (0 or 1). Atomic so that processes which start
-- together with new settings begin one generation between them.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'generation', 'properties', 'associations', 'used_at',
  'marked', 'listed_at', 'linked_at')
local generation, marked = tonumber(held[1]) or 0, tonumber(held[5]) or 0
local seen = tonumber(ARGV[4])

-- A wanted list beside the held one. Where both are HubSpot's the wish is the same one, and the
-- later word on it holds, at once.
local function beside(wanted, wanted_at, names, names_at)
  wanted_at, names_at = tonumber(wanted_at), tonumber(names_at) or 0
  local both = wanted_at > 0 and names_at > 0
  local is_later = both and wanted_at > names_at
  return {
    is_wish = both or wanted == names,
    names = is_later and wanted or names,
    at = is_later and wanted_at or names_at,
  }
end
local properties = beside(ARGV[1], ARGV[5], held[2], held[6])
local associations = beside(ARGV[2], ARGV[6], held[3], held[7])

local is_wanted = properties.is_wish and associations.is_wish
local is_idle = now - (tonumber(held[4]) or 0) >= tonumber(ARGV[3])
-- Absent, or behind the streams: then this Redis has lost data.
local is_lost = generation == 0 or generation < seen

if is_lost or (not is_wanted and is_idle) then
  properties = {names = ARGV[1], at = ARGV[5]}
  associations = {names = ARGV[2], at = ARGV[6]}
  is_wanted = true
end
if is_wanted then
  if is_lost or properties.names ~= held[2] or associations.names ~= held[3] then
    generation = math.max(generation, seen) + 1
    held[2], held[3] = properties.names, associations.names
    redis.call('HSET', KEYS[1],
      'generation', generation, 'properties', held[2], 'associations', held[3])
  end
  -- Only who wants the list keeps it alive: followers wait for it to be given up.
  redis.call('HSET', KEYS[1], 'used_at', string.format('%.0f', now),
    'listed_at', string.format('%.0f', properties.at),
    'linked_at', string.format('%.0f', associations.at))
end
return {generation, held[2], held[3], is_wanted and 1 or 0, marked < generation and 1 or 0}
