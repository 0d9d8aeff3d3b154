-- The epoch of a queue, its row locked: one reconciler at a time. $1 queue.
-- NO KEY UPDATE: an insert of a job refers to the row and must not wait for Redis.
SELECT epoch FROM engine.queues WHERE name = $1 FOR NO KEY UPDATE
