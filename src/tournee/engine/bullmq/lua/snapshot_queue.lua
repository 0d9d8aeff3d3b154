--[[
  One atomic look at where a queue's ids lie.
  KEYS wait, paused, prioritized, active, delayed, waiting-children, epoch · ARGV[1] key prefix of the queue.
  Returns {waiting ids, locked active ids, unlocked active ids, stranded ids, epoch}.
]]
local waiting = redis.call("LRANGE", KEYS[1], 0, -1)
for _, id in ipairs(redis.call("LRANGE", KEYS[2], 0, -1)) do
  waiting[#waiting + 1] = id
end
for _, id in ipairs(redis.call("ZRANGE", KEYS[3], 0, -1)) do
  waiting[#waiting + 1] = id
end
local locked, unlocked = {}, {}
for _, id in ipairs(redis.call("LRANGE", KEYS[4], 0, -1)) do
  if redis.call("EXISTS", ARGV[1] .. id .. ":lock") == 1 then
    locked[#locked + 1] = id
  else
    unlocked[#unlocked + 1] = id
  end
end
local stranded = redis.call("ZRANGE", KEYS[5], 0, -1)
for _, id in ipairs(redis.call("ZRANGE", KEYS[6], 0, -1)) do
  stranded[#stranded + 1] = id
end
return {waiting, locked, unlocked, stranded, redis.call("GET", KEYS[7])}
