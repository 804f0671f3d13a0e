#!lua
-- A step of writing a stream anew without what was deleted from it: a server marks a deleted entry, and keeps its bytes
-- as long as an entry beside it in the same block is there. Ids stay. A copy grows; once it has everything, it takes the
-- stream's place. Whoever adds or deletes meanwhile is seen: entries are only ever added behind.
-- KEYS 1 stream  2 its copy  ARGV 1 how many entries at most
-- Answers done | more | again (something was deleted that had been copied)
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local rows = redis.call('XRANGE', KEYS[1], last and '(' .. last[1] or '-', '+', 'COUNT', ARGV[1])
for _, row in ipairs(rows) do redis.call('XADD', KEYS[2], row[1], unpack(row[2])) end
if #rows == tonumber(ARGV[1]) then return 'more' end
local length = redis.call('XLEN', KEYS[1])
if length == 0 then
  redis.call('DEL', KEYS[2])
  return 'done'
end
if redis.call('XLEN', KEYS[2]) ~= length then
  redis.call('DEL', KEYS[2])
  return 'again'
end
local info = redis.call('XINFO', 'STREAM', KEYS[1])
for i = 1, #info, 2 do
  if info[i] == 'last-generated-id' then redis.call('XSETID', KEYS[2], info[i + 1]) end
end
redis.call('RENAME', KEYS[2], KEYS[1])
return 'done'
