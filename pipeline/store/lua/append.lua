-- One callback into the inbox. No allow-oom here: a full store refuses, and the sender hears 503.
-- KEYS 1 stream  2 ready  3 state  4 connection  5 receipts  6 receipts order
-- ARGV 1 member  2 header  3 sealed  4 backlog limit  5 generation  6 generation is from a token (1/0)
--      7 receipt  8 receipt record  9 receipts kept  10 rung for (ms)
-- Answers {'ok', ring} | {'unregistered'} | {'full', entries} | {'generation', current}
local known = redis.call('HMGET', KEYS[4], 'generation', 'state')
if not known[1] or known[2] ~= 'live' then return {'unregistered'} end
if ARGV[6] == '0' and known[1] ~= ARGV[5] then return {'generation', known[1]} end
local waiting = redis.call('XLEN', KEYS[1])
if waiting >= tonumber(ARGV[4]) then return {'full', waiting} end
redis.call('XADD', KEYS[1], '*', 'h', ARGV[2], 'p', ARGV[3])
redis.call('HSET', KEYS[5], ARGV[7], ARGV[8])
if redis.call('RPUSH', KEYS[6], ARGV[7]) > tonumber(ARGV[9]) then
  redis.call('HDEL', KEYS[5], redis.call('LPOP', KEYS[6]))
end
local now = now_us()
redis.call('ZADD', KEYS[2], 'NX', now, ARGV[1])
local rung = 0
if tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1])) <= tonumber(now)
   and redis.call('SET', KEYS[3], 'rung', 'NX', 'PX', ARGV[10]) then rung = 1 end
return {'ok', rung}
