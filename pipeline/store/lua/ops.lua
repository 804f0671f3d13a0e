-- Shared by every script that writes.

local function now_us()
  local t = redis.call('TIME')
  return string.format('%.0f', tonumber(t[1]) * 1000000 + tonumber(t[2]))
end

-- A receipt's record. The oldest make room: as many are kept as the order has, so a record whose place was given away
-- while it waited takes a new one.
local function receipt(hash, order, id, record, kept)
  if redis.call('HSET', hash, id, record) == 0 then return end
  if redis.call('RPUSH', order, id) > tonumber(kept) then redis.call('HDEL', hash, redis.call('LPOP', order)) end
end

-- `<now>`, or `<now>+microseconds`, among the words of a ZADD: the server's clock as the command runs. An epoch is no
-- such time: it never falls behind the last one, so after a clock was set back it lies ahead.
local function score(command, word)
  if command ~= 'ZADD' or string.sub(word, 1, 5) ~= '<now>' then return word end
  return string.format('%.0f', tonumber(now_us()) + tonumber(string.sub(word, 6) == '' and '0' or string.sub(word, 7)))
end

-- `words` holds guards from `i`, each as: number of words, expected, name, index into KEYS, arguments. An answer is
-- compared as text; nil is ''. Answers which of `count` fails first (0: none), and where the words behind them begin.
local function failing(words, i, count)
  local failed = 0
  for g = 1, count do
    local n = tonumber(words[i])
    if failed == 0 then
      local call = {words[i + 2], KEYS[tonumber(words[i + 3])]}
      for j = i + 4, i + n do call[#call + 1] = words[j] end
      if tostring(redis.call(unpack(call)) or '') ~= words[i + 1] then failed = g end
    end
    i = i + n + 1
  end
  return failed, i
end

-- `words` holds commands up to `last`, each as: number of words, name, index into KEYS, arguments. Two are ours.
-- RECEIPT: index of the hash, index of the order, id, record, how many are kept. WHEN: number of guards, then these,
-- then commands that are applied only where all of them hold. Nothing else here decides anything.
local function apply(words, from, last)
  local i = from
  while i <= (last or #words) do
    local n = tonumber(words[i])
    if words[i + 1] == 'RECEIPT' then
      receipt(KEYS[tonumber(words[i + 2])], KEYS[tonumber(words[i + 3])], words[i + 4], words[i + 5], words[i + 6])
    elseif words[i + 1] == 'WHEN' then
      local failed, start = failing(words, i + 3, tonumber(words[i + 2]))
      if failed == 0 then apply(words, start, i + n) end
    else
      local call = {words[i + 1], KEYS[tonumber(words[i + 2])]}
      for j = i + 3, i + n do call[#call + 1] = score(words[i + 1], words[j]) end
      redis.call(unpack(call))
    end
    i = i + n + 1
  end
end
