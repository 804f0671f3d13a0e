#!lua flags=allow-oom
-- A new attempt of a run: reads the allowlist and draws the epoch in one piece, just before the trigger's POST.
-- KEYS 1 run  2 organisation  3 allowlist  4 connection  5 due  6 coverage  7 paused channels
-- ARGV 1 run id  2 team  3 connection  4 lease (µs)  5 overdue (µs)  6 most attempts  7 reasons of a pause (a,b)
--      8 number of channels, then these, then what is written besides where it is given up (ops.lua)
-- Answers {'closed'} | {'early', due} | {'metadata'} | {'progress', due} | {'given_up', due} | {'cancelled'}
--       | {'paused', due} | {'ask', attempt, epoch, generation, state, channels…}
local function paused(channel)
  for reason in string.gmatch(ARGV[7], '[^,]+') do
    if redis.call('HEXISTS', KEYS[7], ARGV[2] .. '|' .. channel .. '|' .. reason) == 1 then return true end
  end
  return false
end
local known = redis.call('HMGET', KEYS[1], 'state', 'ask_at', 'attempt', 'progress', 'failed')
local item = 'trigger:' .. ARGV[1]
if known[1] ~= 'requested' and known[1] ~= 'blocked' and known[1] ~= 'given_up' then
  redis.call('ZREM', KEYS[5], item)
  return {'closed'}
end
local now = now_us()
if tonumber(known[2]) > tonumber(now) then return {'early', known[2]} end
-- A list that changed is carried into the metadata before anything is asked for under it.
if redis.call('ZSCORE', KEYS[5], 'patch:' .. ARGV[3]) then return {'metadata'} end
local attempt = tonumber(known[3])
local fresh = known[4] and tonumber(known[4]) + tonumber(ARGV[5]) or 0
if attempt > 0 and fresh > tonumber(now) then
  local at = string.format('%.0f', fresh)
  redis.call('HSET', KEYS[1], 'ask_at', at)
  redis.call('ZADD', KEYS[5], at, item)
  return {'progress', at}
end
local registered = redis.call('HMGET', KEYS[4], 'generation', 'state')
local channels, waiting, last = {}, 0, 8 + tonumber(ARGV[8])
for i = 9, last do
  if registered[2] == 'live' and redis.call('HGET', KEYS[6], ARGV[i] .. '|run') == ARGV[1]
     and redis.call('HEXISTS', KEYS[3], ARGV[2] .. '|' .. ARGV[i] .. '|' .. ARGV[3]) == 1 then
    if paused(ARGV[i]) then waiting = waiting + 1 else channels[#channels + 1] = ARGV[i] end
  elseif redis.call('HGET', KEYS[6], ARGV[i] .. '|run') == ARGV[1] then
    -- Revoked after it was asked for: left behind, the mark would keep the channel from ever being asked for again.
    redis.call('HDEL', KEYS[6], ARGV[i] .. '|run')
  end
end
if #channels == 0 and waiting > 0 then
  -- The window stays open and costs no try: a resumption makes it due at once.
  local at = string.format('%.0f', tonumber(now) + 3600000000)
  redis.call('HSET', KEYS[1], 'ask_at', at, 'reason', 'channel_paused')
  if known[1] == 'requested' then redis.call('HSET', KEYS[1], 'state', 'blocked') end
  redis.call('ZADD', KEYS[5], at, item)
  return {'paused', at}
end
if #channels == 0 then
  redis.call('HSET', KEYS[1], 'state', 'cancelled')
  redis.call('ZREM', KEYS[5], item)
  return {'cancelled'}
end
local state = known[1] == 'given_up' and 'given_up' or 'requested'
if state == 'requested' and attempt - tonumber(known[5] or '0') >= tonumber(ARGV[6]) then
  -- Given up means an alarm and a question a day from now on: the window stays open, and late pages still count.
  local at = string.format('%.0f', tonumber(now) + 86400000000)
  redis.call('HSET', KEYS[1], 'state', 'given_up', 'ask_at', at)
  redis.call('ZADD', KEYS[5], at, item)
  apply(ARGV, last + 1)
  return {'given_up', at}
end
local last = tonumber(redis.call('HGET', KEYS[2], 'epoch') or '0')
local epoch = string.format('%.0f', math.max(tonumber(now), last + 1))
redis.call('HSET', KEYS[2], 'epoch', epoch)
-- If we die before the POST's answer, the run is due again after the lease.
local again = string.format('%.0f', tonumber(now) + tonumber(ARGV[4]))
redis.call('HSET', KEYS[1], 'attempt', attempt + 1, 'epoch', epoch, 'ask_at', again, 'state', state)
redis.call('HDEL', KEYS[1], 'progress')
redis.call('ZADD', KEYS[5], again, item)
return {'ask', attempt + 1, epoch, registered[1], state, unpack(channels)}
