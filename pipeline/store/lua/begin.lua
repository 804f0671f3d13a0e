#!lua flags=allow-oom
-- A new attempt of a run: reads the allowlist and draws the epoch in one piece, just before the trigger's POST.
-- KEYS 1 run  2 organisation  3 allowlist  4 connection  5 due  6 coverage  7 flights  8 flights of the connection
--      9 paused channels
-- ARGV 1 run id  2 team  3 connection  4 item  5 mark  6 lease (µs)  7 overdue (µs)  8 most attempts  9 most flights
--      10 page limit  11 credential  12 reasons of a pause (a,b)  13 direct messages that are not to be asked for
--      (,a,b,)  14 number of channels, then these, then what is written besides where it is given up (ops.lua)
-- Answers {'closed'} | {'early', due} | {'metadata'} | {'progress', due} | {'busy', due} | {'given_up', due}
--       | {'cancelled'} | {'paused', due} | {'ask', attempt, epoch, generation, state, channels…}
local function direct(channel)
  return string.find(ARGV[13], ',' .. channel .. ',', 1, true) ~= nil
end
local function paused(channel)
  for reason in string.gmatch(ARGV[12], '[^,]+') do
    if redis.call('HEXISTS', KEYS[9], ARGV[2] .. '|' .. channel .. '|' .. reason) == 1 then return true end
  end
  return false
end
local known = redis.call('HMGET', KEYS[1], 'state', 'ask_at', 'attempt', 'progress', 'failed')
local id, item, mark, overdue = ARGV[1], ARGV[4], '|' .. ARGV[5], tonumber(ARGV[7])
local function again_at(us, ...)
  local at = string.format('%.0f', us)
  redis.call('HSET', KEYS[1], 'ask_at', at, ...)
  redis.call('ZADD', KEYS[5], at, item)
  return at
end
if known[1] ~= 'requested' and known[1] ~= 'blocked' and known[1] ~= 'given_up' then
  redis.call('ZREM', KEYS[5], item)
  return {'closed'}
end
local now = now_us()
-- Nothing is put off for longer than a day: what lies further ahead was written before the clock was set back.
local longest = math.max(86400000000, overdue) + 1000000
if tonumber(known[2]) > tonumber(now) and tonumber(known[2]) <= tonumber(now) + longest then return {'early', known[2]} end
-- A list that changed is carried into the metadata before anything is asked for under it.
if redis.call('ZSCORE', KEYS[5], 'patch:' .. ARGV[3]) then return {'metadata'} end
local attempt = tonumber(known[3])
local fresh = known[4] and tonumber(known[4]) <= tonumber(now) and tonumber(known[4]) + overdue or 0
if attempt > 0 and fresh > tonumber(now) then return {'progress', again_at(fresh)} end
local registered = redis.call('HMGET', KEYS[4], 'generation', 'state')
local channels, waiting, why, last = {}, 0, 'direct_message', 14 + tonumber(ARGV[14])
for i = 15, last do
  if redis.call('HGET', KEYS[6], ARGV[i] .. mark) == id then
    if registered[2] == 'live' and redis.call('HEXISTS', KEYS[3], ARGV[2] .. '|' .. ARGV[i] .. '|' .. ARGV[3]) == 1 then
      if paused(ARGV[i]) then
        waiting, why = waiting + 1, 'channel_paused'
      elseif direct(ARGV[i]) then
        waiting = waiting + 1
      else
        channels[#channels + 1] = ARGV[i]
      end
    else
      -- Revoked after it was asked for: left behind, the mark would keep the channel from ever being asked for again.
      redis.call('HDEL', KEYS[6], ARGV[i] .. mark)
    end
  end
end
if #channels == 0 and waiting > 0 then
  -- The window stays open and costs no try: a resumption makes it due at once.
  local state = known[1] == 'requested' and 'blocked' or known[1]
  return {'paused', again_at(tonumber(now) + 3600000000, 'reason', why, 'state', state)}
end
if #channels == 0 then
  redis.call('HSET', KEYS[1], 'state', 'cancelled')
  redis.call('ZREM', KEYS[5], item)
  redis.call('ZREM', KEYS[7], id)
  redis.call('ZREM', KEYS[8], id)
  return {'cancelled'}
end
local state = known[1] == 'given_up' and 'given_up' or 'requested'
if state == 'requested' and attempt - tonumber(known[5] or '0') >= tonumber(ARGV[8]) then
  -- Given up means an alarm and a question a day from now on: the window stays open, and late pages still count.
  apply(ARGV, last + 1)
  return {'given_up', again_at(tonumber(now) + 86400000000, 'state', 'given_up')}
end
-- So many of a connection are out at a time: the next one waits for a place, not long, and not in step with others.
for _, key in ipairs({KEYS[7], KEYS[8]}) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  redis.call('ZREMRANGEBYSCORE', key, string.format('(%.0f', tonumber(now) + overdue), '+inf')
end
if not redis.call('ZSCORE', KEYS[8], id) and redis.call('ZCARD', KEYS[8]) >= tonumber(ARGV[9]) then
  return {'busy', again_at(tonumber(now) + 2000000 + tonumber(now) % 1000000)}
end
local before = tonumber(redis.call('HGET', KEYS[2], 'epoch') or '0')
local epoch = string.format('%.0f', math.max(tonumber(now), before + 1))
redis.call('HSET', KEYS[2], 'epoch', epoch)
-- If we die before the POST's answer, the run is due again after the lease.
again_at(tonumber(now) + tonumber(ARGV[6]), 'attempt', attempt + 1, 'epoch', epoch, 'state', state,
  'limit', ARGV[10], 'epoch:' .. (attempt + 1), epoch, 'credential:' .. (attempt + 1), ARGV[11])
redis.call('HDEL', KEYS[1], 'progress')
local out = string.format('%.0f', tonumber(now) + overdue)
redis.call('ZADD', KEYS[7], out, id)
redis.call('ZADD', KEYS[8], out, id)
return {'ask', attempt + 1, epoch, registered[1], state, unpack(channels)}
