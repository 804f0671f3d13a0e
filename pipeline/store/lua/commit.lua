#!lua flags=allow-oom
-- A guarded change: every guard must hold, then every command is applied, in one piece.
-- ARGV 1 number of guards, then guards (number of words, expected, name, key index, arguments), then commands (ops.lua).
-- A guard's answer is compared as text; nil is ''. Answers 0, or the number of the first guard that failed.
local i = 2
for g = 1, tonumber(ARGV[1]) do
  local n = tonumber(ARGV[i])
  local call = {ARGV[i + 2], KEYS[tonumber(ARGV[i + 3])]}
  for j = i + 4, i + n do call[#call + 1] = ARGV[j] end
  local got = redis.call(unpack(call))
  if tostring(got or '') ~= ARGV[i + 1] then return g end
  i = i + n + 1
end
apply(ARGV, i)
return 0
