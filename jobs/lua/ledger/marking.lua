-- What a mark is, for every script that makes some. Follows common.

local function mark(portal, calls)
  local ids = {}
  for i, call in ipairs(calls) do ids[i] = call[1] end
  local leases = redis.call('HMGET', room(portal, 'held'), unpack(ids))
  local recent = redis.call('ZMSCORE', room(portal, 'recent'), unpack(ids))
  local hints = redis.call('HMGET', room(portal, 'hints'), unpack(ids))
  local fresh = redis.call('HMGET', room(portal, 'fresh'), unpack(ids))
  local due, held, new_hints, new_fresh = {}, {}, {}, {}
  for i, call in ipairs(calls) do
    local id = call[1]
    if leases[i] then
      local token, marks, claimed_at = parse_lease(leases[i])
      held[#held + 1] = id
      held[#held + 1] = string.format('%s:%d:%d', token, marks + 1, claimed_at)
      new_fresh[#new_fresh + 1] = id
      new_fresh[#new_fresh + 1] = extend_bucket(fresh[i], call[2], call[3], 0)
    else
      due[#due + 1] = quiet(tonumber(recent[i] or nil))
      due[#due + 1] = id
      new_hints[#new_hints + 1] = id
      new_hints[#new_hints + 1] = extend_bucket(hints[i], call[2], call[3], 0)
    end
  end
  if #due > 0 then
    redis.call('ZADD', room(portal, 'due'), 'LT', unpack(due))
    redis.call('HSET', room(portal, 'hints'), unpack(new_hints))
  end
  if #held > 0 then
    redis.call('HSET', room(portal, 'held'), unpack(held))
    redis.call('HSET', room(portal, 'fresh'), unpack(new_fresh))
  end
end

-- Marks calls and answers the doorbells to ring. `entries`: {portal, {{call, decisive hints, changes},
-- ...}} each.
local function mark_all(entries)
  local bells = {}
  for _, entry in ipairs(entries) do
    local portal, calls = entry[1], entry[2]
    for from = 1, #calls, VARIADIC do
      mark(portal, {unpack(calls, from, math.min(from + VARIADIC - 1, #calls))})
    end
    local state = portal_state(portal)
    rescore(portal, state)
    if not state.open then redis.call('SADD', prefix .. 'strangers', portal) end
    -- A sleeping portal is woken by the sweep: marks must not ring for it.
    if state.asleep_until <= now then bells[#bells + 1] = ring(portal, state) end
  end
  return bells
end
