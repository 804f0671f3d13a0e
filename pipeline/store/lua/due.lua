#!lua flags=allow-oom
-- Lease what is due: an item that is not finished within the lease is due again.
-- KEYS 1 due  2 shard state  ARGV 1 most  2 lease (µs)  3 only what is overdue by (µs)
if redis.call('GET', KEYS[2]) == 'held' then return {} end
local now = tonumber(now_us())
local items = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - tonumber(ARGV[3])), 'LIMIT', 0, ARGV[1])
for _, item in ipairs(items) do
  redis.call('ZADD', KEYS[1], 'XX', string.format('%.0f', now + tonumber(ARGV[2])), item)
end
return items
