-- Puts newly sealed tokens in the place of the same tokens under an older key. Follows record.
--
-- ARGV[1]  the tokens as they are sealed
-- ARGV[2]  the same, sealed anew
-- Answer   1, or 0 if the account has other tokens by now
--
-- Atomic because tokens that were refreshed meanwhile must not be overwritten.

if redis.call('HGET', record, 'sealed') ~= ARGV[1] then return 0 end
redis.call('HSET', record, 'sealed', ARGV[2])
return 1
