--[[
  Sets fields of a job's hash, but only while that hash exists: a job that was finished and removed between its
  add and this call must not leave a broken hash behind.
  KEYS[1] job key · ARGV field, value, … · Returns 1 if written, else 0.
]]
if redis.call("EXISTS", KEYS[1]) == 0 then
  return 0
end
redis.call("HSET", KEYS[1], unpack(ARGV))
return 1
