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

-- `words` holds commands, each as: number of words, name, index into KEYS, arguments. RECEIPT is one of ours: index of
-- the hash, index of the order, id, record, how many are kept. Nothing here decides anything: guards come first, in
-- the script that includes this.
local function apply(words, from)
  local i = from
  while i <= #words do
    local n = tonumber(words[i])
    if words[i + 1] == 'RECEIPT' then
      receipt(KEYS[tonumber(words[i + 2])], KEYS[tonumber(words[i + 3])], words[i + 4], words[i + 5], words[i + 6])
    else
      local call = {words[i + 1], KEYS[tonumber(words[i + 2])]}
      for j = i + 3, i + n do call[#call + 1] = score(words[i + 1], words[j]) end
      redis.call(unpack(call))
    end
    i = i + n + 1
  end
end
