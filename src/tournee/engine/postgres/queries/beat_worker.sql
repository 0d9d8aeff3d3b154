-- The heartbeat, one UPDATE per interval. $1 id, $2 queues with concurrency and consumption, $3 stopping.
-- Returns the beat; no row: this process was declared dead and must take a new id.
UPDATE engine.workers SET beat = beat + 1, beat_at = clock_timestamp(), queues = $2, stopping = $3
WHERE id = $1 AND NOT reported_dead
RETURNING beat
