-- A suspect is about to run alone in its process: a crash from here on is charged to it, and its time begins now, not
-- when it began to wait for its turn. Guard: state = 'running' and our lease. $1 id, $2 lease.
-- Returns the id if it is still ours.
UPDATE engine.jobs SET alone = true, deadline_at = clock_timestamp() + (deadline_at - started_at)
WHERE id = $1 AND state = 'running' AND lease = $2
RETURNING id
