-- What the scripts of reconciliation share: the clock, and the account's place.
--
-- KEYS[1]  `reconciliation:due`       sorted set: portal -> when it wants a worker next
-- KEYS[2]  `reconciliation:<portal>`  hash: where it stands (jobs/reconciliation/store.py)
--
-- Time is the server's, in epoch ms, read once per script.

local due, place = KEYS[1], KEYS[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function whole(number)
  return string.format('%.0f', number)
end

-- Whether another worker holds the account.
local function held_by_other(holder)
  local held = redis.call('HMGET', place, 'holder', 'until')
  return held[1] and held[1] ~= holder and tonumber(held[2]) > now
end
