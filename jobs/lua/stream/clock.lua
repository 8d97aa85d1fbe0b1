-- A partition's clock: epoch ms that never stand still and never go back.

local function server_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The clock's next value. `seen` is the highest one that the calling process knows of: it stands in
-- for what a server that lost its last second, or failed over to a slower one, has forgotten.
local function next_clock(key, seen)
  return math.max((tonumber(redis.call('GET', key)) or 0) + 1, server_ms(), seen)
end

local function keep_clock(key, clock)
  redis.call('SET', key, string.format('%.0f', clock))
end
