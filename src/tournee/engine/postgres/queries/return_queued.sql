-- Back to pending: an add that failed, a job fetched but not claimable, an entry lost in Redis.
-- Guard: state = 'queued' and the same dispatch. $1 ids, $2 dispatches. Returns the ids that moved.
WITH input AS (
    SELECT * FROM unnest($1::bigint[], $2::int[]) AS t (id, dispatch)
), locked AS (
    SELECT j.id FROM engine.jobs j JOIN input i ON i.id = j.id AND i.dispatch = j.dispatch
    WHERE j.state = 'queued'
    ORDER BY j.id
    FOR UPDATE OF j
), moved AS (
    UPDATE engine.jobs j SET state = 'pending' FROM locked WHERE j.id = locked.id
    RETURNING j.id, j.queue, j.tenant, j.rank, j.run_at, j.priority
), not_in_flight AS (
    DELETE FROM engine.inflight f USING moved m WHERE f.queue = m.queue AND f.job_id = m.id
), made_ready AS (
    INSERT INTO engine.ready (job_id, queue, tenant, rank, run_at, urgent, due)
    SELECT id, queue, tenant, rank, run_at, priority < 0, run_at <= now() FROM moved
)
SELECT id FROM moved
