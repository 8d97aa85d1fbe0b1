-- What the scripts on an account's record share: the record and the clock.
--
-- KEYS[1]  the record, a hash (jobs/accounts/register.py)

local record = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
