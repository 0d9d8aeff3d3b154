--[[
  One atomic look at where a queue's ids lie.
  KEYS wait, paused, prioritized, active, delayed, waiting-children, epoch · ARGV[1] key prefix of the queue.
  Returns {waiting ids, locked active ids, unlocked active ids, stranded ids, the locked ones' tokens, epoch}.
]]
local waiting = redis.call("LRANGE", KEYS[1], 0, -1)
for _, id in ipairs(redis.call("LRANGE", KEYS[2], 0, -1)) do
  waiting[#waiting + 1] = id
end
for _, id in ipairs(redis.call("ZRANGE", KEYS[3], 0, -1)) do
  waiting[#waiting + 1] = id
end
local locked, unlocked, tokens = {}, {}, {}
for _, id in ipairs(redis.call("LRANGE", KEYS[4], 0, -1)) do
  local token = redis.call("GET", ARGV[1] .. id .. ":lock")
  if token then
    locked[#locked + 1] = id
    tokens[#tokens + 1] = token
  else
    unlocked[#unlocked + 1] = id
  end
end
local stranded = redis.call("ZRANGE", KEYS[5], 0, -1)
for _, id in ipairs(redis.call("ZRANGE", KEYS[6], 0, -1)) do
  stranded[#stranded + 1] = id
end
return {waiting, locked, unlocked, stranded, tokens, redis.call("GET", KEYS[7])}
