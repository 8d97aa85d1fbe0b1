-- The server's own clock: the only one by which the budget counts.

-- Returns the time in epoch ms.
local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
