--[[
  Removes ids from every list and set of a queue, with hash, lock and logs, whatever state they are in.
  KEYS wait, active, paused, delayed, prioritized, completed, failed, waiting-children, stalled, events
  ARGV[1] key prefix of the queue, ARGV[2] bound of the event stream, then the ids. Returns how many hashes went.
]]
local prefix, bound = ARGV[1], ARGV[2]
local removed = 0
for i = 3, #ARGV do
  local id = ARGV[i]
  for list = 1, 3 do
    redis.call("LREM", KEYS[list], 0, id)
  end
  for set = 4, 8 do
    redis.call("ZREM", KEYS[set], id)
  end
  redis.call("SREM", KEYS[9], id)
  local key = prefix .. id
  local hashes = redis.call("DEL", key)
  redis.call("DEL", key .. ":lock", key .. ":logs", key .. ":dependencies", key .. ":processed", key .. ":failed",
    key .. ":unsuccessful")
  if hashes == 1 then
    redis.call("XADD", KEYS[10], "MAXLEN", "~", bound, "*", "event", "removed", "jobId", id)
    removed = removed + 1
  end
end
return removed
