-- Sets dead letters aside. Their fields are taken from ARGV; the last three of a letter are how its
-- bytes are kept, the name of the bytes' field, and the bytes (jobs/ledger/deadletters.py).

local WHOLE = 10000 -- with so many letters, further ones are kept without their bytes: a flood of
                    -- them must not fill the server, and its first ones tell what happened

-- Sets aside the dead letter whose fields start at ARGV[from]; answers where the next one starts.
local function bury(stream, from, length)
  local words = {unpack(ARGV, from, from + length - 1)}
  if redis.call('XLEN', stream) >= WHOLE then words[length - 2], words[length] = '', '' end
  redis.call('XADD', stream, '*', unpack(words))
  return from + length
end
