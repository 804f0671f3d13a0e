#!lua flags=allow-oom
-- The end of a batch, in one piece: entries, ledger page, dead letters, counters, receipts. Refused without the lease,
-- and for another generation of the connection. allow-oom, since a full store must be able to empty itself.
-- KEYS 1 state  2 stream  3 ready  4 connection  5… what the commands touch
-- ARGV 1 lease  2 member  3 generation ('' = any, 0 = never registered)
--      4 number of entry ids, then the ids, then commands (ops.lua)
-- Answers settled | already | lost | generation
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'lost' end
if ARGV[3] ~= '' and (redis.call('HGET', KEYS[4], 'generation') or '0') ~= ARGV[3] then return 'generation' end
local n = tonumber(ARGV[4])
-- A batch goes in one piece: if its first entry is gone, this very settle was done before and its answer was lost.
if #redis.call('XRANGE', KEYS[2], ARGV[5], ARGV[5]) == 0 then return 'already' end
-- A script that fails is not rolled back: what might fail comes first, the end last. So a bug repeats, and loses nothing.
apply(ARGV, 5 + n)
for i = 5, 4 + n do redis.call('XDEL', KEYS[2], ARGV[i]) end
if redis.call('XLEN', KEYS[2]) == 0 then redis.call('ZREM', KEYS[3], ARGV[2]) end
return 'settled'
