-- Pause or resume a queue. $1 queue, $2 paused. Returns the name if there is such a queue.
UPDATE engine.queues SET paused = $2 WHERE name = $1 RETURNING name
