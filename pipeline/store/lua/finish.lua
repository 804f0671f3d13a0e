#!lua flags=allow-oom
-- Take items out, or put them to their next time, each unless somebody changed it since.
-- KEYS 1 due  ARGV item, what it was due at, what it is due at next ('' = never), and so on
for i = 1, #ARGV, 3 do
  if tostring(redis.call('ZSCORE', KEYS[1], ARGV[i]) or '') == ARGV[i + 1] then
    if ARGV[i + 2] == '' then
      redis.call('ZREM', KEYS[1], ARGV[i])
    else
      redis.call('ZADD', KEYS[1], ARGV[i + 2], ARGV[i])
    end
  end
end
return 0
