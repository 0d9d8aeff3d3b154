--[[
  Removes ids from every list and set of a queue, with hash, lock and logs, whatever state they are in.
  KEYS wait, active, paused, delayed, prioritized, completed, failed, waiting-children, stalled, events
  ARGV[1] key prefix of the queue, ARGV[2] bound of the event stream, ARGV[3] "1" to spare what is in the completed
  or failed set (a finish that is told twice must not take its own result away), then the ids.
  Returns how many hashes went.
]]
local prefix, bound = ARGV[1], ARGV[2]
local spare_finished = ARGV[3] == "1"
local removed = 0

local function is_spared(id)
  return spare_finished and (redis.call("ZSCORE", KEYS[6], id) or redis.call("ZSCORE", KEYS[7], id))
end

for i = 4, #ARGV do
  local id = ARGV[i]
  local key = prefix .. id
  for list = 1, 3 do
    redis.call("LREM", KEYS[list], 0, id)
  end
  redis.call("SREM", KEYS[9], id)
  redis.call("DEL", key .. ":lock")
  if not is_spared(id) then
    for set = 4, 8 do
      redis.call("ZREM", KEYS[set], id)
    end
    redis.call("DEL", key .. ":logs", key .. ":dependencies", key .. ":processed", key .. ":failed",
      key .. ":unsuccessful")
    if redis.call("DEL", key) == 1 then
      redis.call("XADD", KEYS[10], "MAXLEN", "~", bound, "*", "event", "removed", "jobId", id)
      removed = removed + 1
    end
  end
end
return removed
