-- Counts what a process commits, so that it notices when the server has lost some of it.
--
-- `key` is a hash: epoch, made anew with the hash, and the count of each process. A process without a
-- name is not counted.

local function epoch_of(key, process)
  local epoch = redis.call('HGET', key, 'epoch')
  if not epoch then
    local time = redis.call('TIME')
    epoch = string.format('%s-%d%06d', process, time[1], time[2])
    redis.call('HSET', key, 'epoch', epoch)
  end
  return epoch
end

-- To be called first in a script: what fails after it is counted all the same.
local function beat(key, process)
  if process == '' then return '', 0 end
  return epoch_of(key, process), redis.call('HINCRBY', key, process, 1)
end
