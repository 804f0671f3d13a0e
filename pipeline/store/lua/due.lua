#!lua flags=allow-oom
-- Lease what is due: an item that is not finished within the lease is due again.
-- Answers what its items are due at now, then the items.
-- KEYS 1 due  2 shard state  ARGV 1 most  2 lease (µs)  3 only what is overdue by (µs)
if redis.call('GET', KEYS[2]) == 'held' then return {} end
local now = tonumber(now_us())
-- Nothing is put off for so long (40 days): it was written by a clock that was ahead, and would wait until then.
for _, item in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%.0f', now + 3456000000000), '+inf', 'LIMIT', 0, ARGV[1])) do
  redis.call('ZADD', KEYS[1], 'XX', string.format('%.0f', now), item)
end
local items = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - tonumber(ARGV[3])), 'LIMIT', 0, ARGV[1])
local again = string.format('%.0f', now + tonumber(ARGV[2]))
for _, item in ipairs(items) do redis.call('ZADD', KEYS[1], 'XX', again, item) end
table.insert(items, 1, again)
return items
