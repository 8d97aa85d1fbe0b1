-- Answers which properties and associations of a portal's calls are read, and begins a new list.
--
-- KEYS[1]  hash of the portal's projection: generation, properties, associations, listed_at,
--          used_at, marked
-- ARGV[1]  wanted properties, a sorted JSON array
-- ARGV[2]  wanted associations, likewise
-- ARGV[3]  how long in ms nobody must have wanted the held list for it to be replaced
-- ARGV[4]  the highest generation that the streams are known to hold
-- ARGV[5]  when HubSpot was asked for the wanted properties, in epoch ms; 0 = they are named by
--          settings
--
-- Answers generation, properties, associations, whether they are the wanted ones (0 or 1), whether
-- this generation's full round is still to be marked (0 or 1). Atomic so that processes which start
-- together with new settings begin one generation between them.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', KEYS[1],
  'generation', 'properties', 'associations', 'used_at', 'marked', 'listed_at')
local generation, marked = tonumber(held[1]) or 0, tonumber(held[5]) or 0
local seen = tonumber(ARGV[4])
local listed_at, held_listed_at = tonumber(ARGV[5]), tonumber(held[6]) or 0
-- Both are HubSpot's lists, so the wish is the same one: the later word on it holds, at once.
local is_one_wish = listed_at > 0 and held_listed_at > 0 and held[3] == ARGV[2]
local is_later = is_one_wish and listed_at > held_listed_at
local is_same = held[2] == ARGV[1] and held[3] == ARGV[2]
local is_wanted = is_same or (is_one_wish and not is_later)
local is_idle = now - (tonumber(held[4]) or 0) >= tonumber(ARGV[3])
-- Absent, or behind the streams: then this Redis has lost data.
local is_lost = generation == 0 or generation < seen

if is_lost or (not is_wanted and (is_idle or is_later)) then
  generation = math.max(generation, seen) + 1
  held[2], held[3], is_wanted = ARGV[1], ARGV[2], true
  redis.call('HSET', KEYS[1],
    'generation', generation, 'properties', held[2], 'associations', held[3],
    'listed_at', ARGV[5])
elseif is_same and is_later then
  redis.call('HSET', KEYS[1], 'listed_at', ARGV[5])
end
-- Only who wants the list keeps it alive: followers wait for it to be given up.
if is_wanted then redis.call('HSET', KEYS[1], 'used_at', string.format('%.0f', now)) end
return {generation, held[2], held[3], is_wanted and 1 or 0, marked < generation and 1 or 0}
