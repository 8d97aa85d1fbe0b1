-- Marks calls as possibly changed and sets dead letters aside. Follows common, pulse/beat,
-- deadletters/bury, marking.
--
-- KEYS[2]  the dead letters' stream
-- ARGV[3]  msgpack array: {portal, {{call, decisive hints, changes}, ...}} each
-- ARGV[4]… the fields of the dead letters, one letter after the other
-- Answer   msgpack {array of doorbells to ring, epoch, count}
--
-- Atomic because a mark must see either the lease, and raise its count of marks, or its end, and
-- make the call due: between the two it would be lost.

local epoch, count = beat(prefix .. 'pulse', limits.process)
local bells = mark_all(cmsgpack.unpack(ARGV[3]))
local letter = 4
while letter <= #ARGV do letter = bury(KEYS[2], letter, limits.letter_words) end
return cmsgpack.pack({bells, epoch, count})
