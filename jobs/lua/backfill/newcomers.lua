-- Starts the runs of accounts that were connected for the first time.
--
-- KEYS[2]  set of those portals, which the ledger fills
-- ARGV[1]  ms after which a turn that was asked for counts as lost, 2… what to read of each
-- Answer   msgpack array of the new runs
--
-- Atomic because an account is a newcomer once: with its place in the set goes the only sign that
-- its backfill is still to be started.

local started = {}
for _, portal in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  for i = 2, #ARGV do
    local is_new, run = begin_run(portal, ARGV[i], 0, tonumber(ARGV[1]))
    if is_new == 1 then started[#started + 1] = run end
  end
  redis.call('SREM', KEYS[2], portal)
end
return cmsgpack.pack(started)
