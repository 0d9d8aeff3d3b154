-- After the loss of Redis: every queued row of a queue goes back to pending. $1 queue.
-- Guard: state = 'queued'; a statement of its own, so that it sees marks committed after the lock was taken.
-- Returns how many moved.
WITH locked AS (
    SELECT j.id FROM engine.inflight f JOIN engine.jobs j ON j.id = f.job_id
    WHERE f.queue = $1 AND j.state = 'queued'
    ORDER BY j.id
    FOR UPDATE OF j SKIP LOCKED
), moved AS (
    UPDATE engine.jobs j SET state = 'pending' FROM locked WHERE j.id = locked.id
    RETURNING j.id, j.queue, j.tenant, j.rank, j.run_at, j.priority
), not_in_flight AS (
    DELETE FROM engine.inflight f USING moved m WHERE f.queue = m.queue AND f.job_id = m.id
), made_ready AS (
    INSERT INTO engine.ready (job_id, queue, tenant, rank, run_at, urgent, due)
    SELECT id, queue, tenant, rank, run_at, priority < 0, run_at <= now() FROM moved
)
SELECT count(*) FROM moved
