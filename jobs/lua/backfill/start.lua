-- Starts a run, or finds the unfinished one of its kind.
--
-- ARGV[1]  portal, 2 what it reads, 3 its ceiling (0 = none), 4 ms after which a turn that was asked
--          for counts as lost
-- Answer   msgpack {whether it is new (0 or 1), run}
--
-- Atomic because two starts must not both find none.

return cmsgpack.pack({begin_run(ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]))})
