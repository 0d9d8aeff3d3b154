-- Commits a new epoch after the sweep. $1 queue, $2 epoch.
UPDATE engine.queues SET epoch = $2, swept_at = now() WHERE name = $1
