-- Takes over a ruling unless a newer one of its name is known: a hash holds what is so, a stream tells the others.
-- KEYS: hash, stream. ARGV: name, moment (Unix seconds), body, replica.
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and tonumber(string.match(held, '^(%S+) ')) >= tonumber(ARGV[2]) then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 10000, '*', 'name', ARGV[1], 'ruling', ARGV[2] .. ' ' .. ARGV[3], 'from', ARGV[4])
return 1
