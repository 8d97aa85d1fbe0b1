-- Turns dead letters back into marks. Follows ledger/common, ledger/marking.
--
-- KEYS[2]  the dead letters' stream
-- ARGV[3]  msgpack array of letters: {id, portal, call, decisive hints, changes}
-- Answer   msgpack {letters that were turned into marks, doorbells to ring}
--
-- Atomic because a letter goes in the step that marks its call: done twice, the second time finds it
-- gone, and cut off anywhere, the call is marked or its letter is still there.

local entries, by_portal, count = {}, {}, 0
for _, letter in ipairs(cmsgpack.unpack(ARGV[3])) do
  local id, portal = letter[1], letter[2]
  if redis.call('XDEL', KEYS[2], id) == 1 then
    count = count + 1
    if not by_portal[portal] then
      by_portal[portal] = {}
      entries[#entries + 1] = {portal, by_portal[portal]}
    end
    table.insert(by_portal[portal], {letter[3], letter[4], letter[5]})
  end
end
return cmsgpack.pack({count, mark_all(entries)})
