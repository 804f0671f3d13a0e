#!lua flags=allow-oom
-- A drain's last script: leave `rung` and ask for a ring if something is due, else leave the shard idle.
-- KEYS 1 state  2 ready  3 ready effects  ARGV 1 lease  2 rung for (ms)  Answers 1 ring | 0 idle | -1 lost
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
for _, key in ipairs({KEYS[2], KEYS[3]}) do
  local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
  if first[2] and tonumber(first[2]) <= tonumber(now_us()) then
    redis.call('SET', KEYS[1], 'rung', 'PX', ARGV[2])
    return 1
  end
end
redis.call('DEL', KEYS[1])
return 0
