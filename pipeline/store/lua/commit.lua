#!lua flags=allow-oom
-- A guarded change: every guard must hold, then every command is applied, in one piece.
-- ARGV 1 number of guards, then guards, then commands (ops.lua). Answers 0, or the number of the first that failed.
local failed, i = failing(ARGV, 2, tonumber(ARGV[1]))
if failed > 0 then return failed end
apply(ARGV, i)
return 0
