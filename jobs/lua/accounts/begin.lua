-- Keeps an install that was begun, unless too many are.
--
-- KEYS[1]  the install, a string that expires
-- KEYS[2]  counter of installs begun within a minute
-- ARGV[1]  the install, sealed
-- ARGV[2]  how long it may take, in ms
-- ARGV[3]  how many may be begun within a minute
-- Answer   1, or 0 if there are too many
--
-- Atomic so that a counter never stays without its expiry.

if redis.call('INCR', KEYS[2]) == 1 then redis.call('PEXPIRE', KEYS[2], 60000) end
if tonumber(redis.call('GET', KEYS[2])) > tonumber(ARGV[3]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
