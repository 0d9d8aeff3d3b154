-- The epochs of all queues, to be compared with the sentinels in Redis.
SELECT name, epoch FROM engine.queues ORDER BY name
