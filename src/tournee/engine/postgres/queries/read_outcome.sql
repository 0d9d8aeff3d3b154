-- After a COMMIT whose answer was lost: what became of our lease. Waits for a commit in progress, under lock_timeout.
-- $1 id. Returns state and lease.
SELECT state, lease FROM engine.jobs WHERE id = $1 FOR UPDATE
