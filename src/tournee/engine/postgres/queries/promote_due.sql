-- Makes rows whose run_at has come dispatchable. $1 queue, $2 at most. Returns how many.
-- Guard: NOT due; SKIP LOCKED, so that a cancel in progress is not waited for.
WITH due AS (
    SELECT job_id FROM engine.ready
    WHERE queue = $1 AND NOT due AND run_at <= now()
    ORDER BY run_at, job_id
    LIMIT $2
    FOR UPDATE SKIP LOCKED
), promoted AS (
    UPDATE engine.ready r SET due = true FROM due WHERE r.job_id = due.job_id
    RETURNING 1
)
SELECT count(*) FROM promoted
