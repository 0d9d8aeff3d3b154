-- The epoch of a queue, its row locked: one reconciler at a time. $1 queue.
SELECT epoch FROM engine.queues WHERE name = $1 FOR UPDATE
