-- Ends a worker's time as the journal's reader, so that another need not wait for its lease.
--
-- KEYS[1]  the journal's hash
-- ARGV[1]  the worker
-- Answer   1, or 0 if it was not the reader
--
-- Atomic because a worker that was slow must not end its successor's time.

if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'holder', 'until')
return 1
