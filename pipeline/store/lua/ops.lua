-- Shared tail of every script that writes. `words` holds commands, each as: number of words, name, index into KEYS,
-- arguments. Nothing here decides anything: guards come first, in the script that includes this.
local function apply(words, from)
  local i = from
  while i <= #words do
    local n = tonumber(words[i])
    local call = {words[i + 1], KEYS[tonumber(words[i + 2])]}
    for j = i + 3, i + n do call[#call + 1] = words[j] end
    redis.call(unpack(call))
    i = i + n + 1
  end
end

local function now_us()
  local t = redis.call('TIME')
  return string.format('%.0f', tonumber(t[1]) * 1000000 + tonumber(t[2]))
end
