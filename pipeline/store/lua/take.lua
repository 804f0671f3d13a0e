#!lua flags=allow-oom
-- The next due member and its oldest entries, bounded by count and bytes. Effects come first. A served member's
-- score becomes now, so that a flood of one connection costs the quiet one little.
-- KEYS 1 state  2 ready  3 ready effects  4 stream of the member asked for
-- ARGV 1 lease  2 member (or '')  3 most entries  4 most bytes
-- Without a member: answers the member to serve, or nil. With one: its entries {{id, header, sealed}, …}.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'lost'} end
local now = now_us()
if ARGV[2] == '' then
  for _, key in ipairs({KEYS[3], KEYS[2]}) do
    local due = redis.call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, 1)
    if due[1] then return {'member', due[1]} end
  end
  return {'idle'}
end
local ready = KEYS[2]
if redis.call('ZSCORE', KEYS[3], ARGV[2]) then ready = KEYS[3] end
local taken, bytes, from = {}, 0, '-'
while #taken < tonumber(ARGV[3]) and bytes < tonumber(ARGV[4]) do
  local page = redis.call('XRANGE', KEYS[4], from, '+', 'COUNT', math.min(16, tonumber(ARGV[3]) - #taken))
  if #page == 0 then break end
  for _, entry in ipairs(page) do
    if #taken > 0 and bytes >= tonumber(ARGV[4]) then break end
    taken[#taken + 1] = {entry[1], entry[2][2], entry[2][4]}
    bytes = bytes + #entry[2][4]
  end
  from = '(' .. page[#page][1]
end
if #taken == 0 then redis.call('ZREM', ready, ARGV[2])
else redis.call('ZADD', ready, 'XX', now, ARGV[2]) end
return {'entries', taken}
