-- One callback into the inbox. No allow-oom here: a full store refuses, and the sender hears 503.
-- KEYS 1 stream  2 ready  3 state  4 connection  5 receipts  6 receipts order  7 organisation
-- ARGV 1 member  2 header  3 sealed  4 backlog limit  5 generation  6 generation is from a token (1/0)
--      7 receipt  8 receipt record  9 receipts kept  10 rung for (ms)  11 outside a run (1/0)
-- Answers {'ok', ring} | {'unregistered'} | {'full', entries} | {'generation', current}
local known = redis.call('HMGET', KEYS[4], 'generation', 'state')
if not known[1] or known[2] ~= 'live' then return {'unregistered'} end
if ARGV[6] == '0' and known[1] ~= ARGV[5] then return {'generation', known[1]} end
local waiting = redis.call('XLEN', KEYS[1])
if waiting >= tonumber(ARGV[4]) then return {'full', waiting} end
local id = redis.call('XADD', KEYS[1], '*', 'h', ARGV[2], 'p', ARGV[3])
if ARGV[11] == '1' then
  -- Its id is its epoch. A clock that was set back must not draw a fence below what lies here already.
  local ms, seq = string.match(id, '(%d+)-(%d+)')
  local epoch = tonumber(ms) * 1000 + math.min(tonumber(seq), 999)
  if epoch > tonumber(redis.call('HGET', KEYS[7], 'epoch') or '0') then
    redis.call('HSET', KEYS[7], 'epoch', string.format('%.0f', epoch))
  end
end
receipt(KEYS[5], KEYS[6], ARGV[7], ARGV[8], ARGV[9])
local now = now_us()
redis.call('ZADD', KEYS[2], 'NX', now, ARGV[1])
local rung = 0
if tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1])) <= tonumber(now)
   and redis.call('SET', KEYS[3], 'rung', 'NX', 'PX', ARGV[10]) then rung = 1 end
return {'ok', rung}
