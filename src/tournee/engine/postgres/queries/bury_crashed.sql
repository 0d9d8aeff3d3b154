-- A job that killed its worker twice while alone is dead; it uses its crash budget, not its attempts.
-- Guard: state = 'running' and the lease that was seen. $1 id, $2 lease. Returns the dead row.
WITH buried AS (
    UPDATE engine.jobs
    SET state = 'dead', crashes = crashes + 1, finished_at = clock_timestamp(), suspect = false, alone = false
    WHERE id = $1 AND state = 'running' AND lease = $2
    RETURNING id, queue, key, kind, version, tenant, payload, attempt, crashes, dispatch, finished_at, trace_context
), not_in_flight AS (
    DELETE FROM engine.inflight f USING buried b WHERE f.queue = b.queue AND f.job_id = b.id
), in_dead AS (
    INSERT INTO engine.dead (job_id, queue, died_at) SELECT id, queue, finished_at FROM buried
)
SELECT * FROM buried
