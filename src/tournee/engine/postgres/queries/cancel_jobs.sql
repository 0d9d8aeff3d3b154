-- Cancel: pending and queued rows at once; running ones are asked to stop. $1 ids, locked by the statement before.
-- Guard: state in (pending, queued, running). Returns the rows with the state they now have.
WITH moved AS (
    UPDATE engine.jobs j
    SET state = CASE WHEN j.state = 'running' THEN j.state ELSE 'cancelled' END,
        cancel_requested = true,
        finished_at = CASE WHEN j.state = 'running' THEN j.finished_at ELSE now() END
    WHERE j.id = ANY ($1::bigint[]) AND j.state IN ('pending', 'queued', 'running')
    RETURNING j.*
), not_ready AS (
    DELETE FROM engine.ready r USING moved m WHERE r.job_id = m.id AND m.state = 'cancelled'
), not_in_flight AS (
    DELETE FROM engine.inflight f USING moved m WHERE f.queue = m.queue AND f.job_id = m.id AND m.state = 'cancelled'
)
SELECT id, state, queue, key, kind, version, tenant, payload, attempt, crashes, dispatch, now() AS finished_at,
       trace_context
FROM moved ORDER BY id
