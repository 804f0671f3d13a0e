#!lua flags=allow-oom
-- KEYS 1 state  ARGV 1 lease  2 milliseconds  Answers 1 | 0 (lost)
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
