-- A failed attempt with attempts left: raises attempt and goes back to pending at now + delay.
-- Guard: state = 'running' and our lease; attempt + 1 < max_attempts. $1 id, $2 lease, $3 delay, $4 ageing interval.
-- Returns the id if it moved.
WITH moved AS (
    UPDATE engine.jobs
    SET state = 'pending', attempt = attempt + 1, suspect = false, alone = false,
        run_at = clock_timestamp() + $3::interval, rank = clock_timestamp() + $3::interval + priority * $4::interval
    WHERE id = $1 AND state = 'running' AND lease = $2 AND attempt + 1 < max_attempts
    RETURNING id, queue, tenant, rank, run_at, priority
), not_in_flight AS (
    DELETE FROM engine.inflight f USING moved m WHERE f.queue = m.queue AND f.job_id = m.id
), made_ready AS (
    INSERT INTO engine.ready (job_id, queue, tenant, rank, run_at, urgent, due)
    SELECT id, queue, tenant, rank, run_at, priority < 0, run_at <= now() FROM moved
)
SELECT id FROM moved
