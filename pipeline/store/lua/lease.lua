#!lua flags=allow-oom
-- Take a shard's lease over idle or rung, never over another drain.
-- KEYS 1 state  ARGV 1 lease  2 milliseconds  Answers 1 | 0
local state = redis.call('GET', KEYS[1])
if state and state ~= 'rung' and state ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
