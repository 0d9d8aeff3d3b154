-- A running job whose cancellation was asked for and whose handler has stopped. $1 id, $2 lease.
-- Guard: state = 'running', our lease, cancel_requested. Returns the cancelled row.
WITH cancelled AS (
    UPDATE engine.jobs SET state = 'cancelled', finished_at = clock_timestamp()
    WHERE id = $1 AND state = 'running' AND lease = $2 AND cancel_requested
    RETURNING id, queue, key, kind, version, tenant, payload, attempt, crashes, dispatch, finished_at, trace_context
), not_in_flight AS (
    DELETE FROM engine.inflight f USING cancelled c WHERE f.queue = c.queue AND f.job_id = c.id
)
SELECT * FROM cancelled
