#!lua flags=allow-oom
-- The next epoch of an organisation: the store's clock, never less than the last one + 1.
-- KEYS 1 organisation  Answers the epoch as text
local last = tonumber(redis.call('HGET', KEYS[1], 'epoch') or '0')
local epoch = string.format('%.0f', math.max(tonumber(now_us()), last + 1))
redis.call('HSET', KEYS[1], 'epoch', epoch)
return epoch
