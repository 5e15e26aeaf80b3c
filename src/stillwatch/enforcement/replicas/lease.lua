-- What replicas ask of the store they share, one item a key (`fresh`: two), all in one step and by the store's own clock.
-- Each answer is a pair of integers. Limits are GCRA, as in limits.py: a key holds its theoretical arrival time.
--   take  cost depth units lease        units of a limit: {1, further units leased} or {0, µs to wait}
--   fresh cost depth units lease b1 b2  the same for a beginning that the account (second key) has not sent: {2, 0} if it has
--   give  cost units                    units that were leased and not spent: {1, 0}
--   pace  every                         one request in `every` seconds: {1, 0} or {0, µs to wait}
--   beat  name seconds                  a replica lives; those not heard of for so long do not: {1, how many live}
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local DAY_MS, BITS = 86400000, 512

local function arrival(key)
  return math.max(now, tonumber(redis.call('GET', key) or now))
end

local function keep(key, tat)
  if tat <= now then
    redis.call('DEL', key)
  else
    redis.call('SET', key, string.format('%.6f', tat), 'PX', math.ceil((tat - now) * 1000))
  end
end

local function take(key, cost, depth, units, lease)
  local tat = arrival(key)
  local owed, asked = tat - now, units * cost
  local wait = 0
  if owed > 0 then
    wait = owed + math.min(asked, depth) - depth
  end
  if wait > 0 then
    return {0, math.ceil(wait * 1000000)}
  end
  -- the nearer the limit, the less is leased: little lies unused in one replica while another refuses
  local room = (depth - owed - asked) / cost
  local extra = math.floor(math.max(0, math.min(lease, room / 16)))
  keep(key, tat + (units + extra) * cost)
  return {1, extra}
end

local function fresh(limit, seen, cost, depth, units, lease, first, second)
  if redis.call('BITCOUNT', seen) > BITS / 2 then
    redis.call('DEL', seen)
  end
  if redis.call('GETBIT', seen, first) == 1 and redis.call('GETBIT', seen, second) == 1 then
    return {2, 0}
  end
  local answer = take(limit, cost, depth, units, lease)
  if answer[1] == 1 then
    redis.call('SETBIT', seen, first, 1)
    redis.call('SETBIT', seen, second, 1)
    redis.call('PEXPIRE', seen, DAY_MS)
  end
  return answer
end

local function pace(key, every)
  local due = tonumber(redis.call('GET', key))
  if due and due > now then
    return {0, math.ceil((due - now) * 1000000)}
  end
  redis.call('SET', key, string.format('%.6f', now + every), 'PX', DAY_MS)
  if due then
    return {1, 0}
  end
  return {0, math.ceil(every * 1000000)}
end

local answers, k, a = {}, 1, 1
while k <= #KEYS do
  local item = ARGV[a]
  local function number(i)
    return tonumber(ARGV[a + i])
  end
  if item == 'take' then
    answers[#answers + 1] = take(KEYS[k], number(1), number(2), number(3), number(4))
    k, a = k + 1, a + 5
  elseif item == 'fresh' then
    answers[#answers + 1] = fresh(KEYS[k], KEYS[k + 1], number(1), number(2), number(3), number(4), number(5), number(6))
    k, a = k + 2, a + 7
  elseif item == 'give' then
    keep(KEYS[k], arrival(KEYS[k]) - number(1) * number(2))
    answers[#answers + 1] = {1, 0}
    k, a = k + 1, a + 3
  elseif item == 'pace' then
    answers[#answers + 1] = pace(KEYS[k], number(1))
    k, a = k + 1, a + 2
  else
    redis.call('ZADD', KEYS[k], now, ARGV[a + 1])
    redis.call('ZREMRANGEBYSCORE', KEYS[k], '-inf', now - number(2))
    answers[#answers + 1] = {1, redis.call('ZCARD', KEYS[k])}
    k, a = k + 1, a + 3
  end
end
return answers
