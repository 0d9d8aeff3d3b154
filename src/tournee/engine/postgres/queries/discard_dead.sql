-- Discard: dead rows become cancelled, finished now, so that the horizon counts from the operator's decision.
-- Guard: state = 'dead'. $1 ids. Returns the rows that moved, with the moment of their death.
WITH locked AS (
    SELECT id, finished_at FROM engine.jobs WHERE id = ANY ($1::bigint[]) AND state = 'dead' ORDER BY id FOR UPDATE
), moved AS (
    UPDATE engine.jobs j SET state = 'cancelled', finished_at = now() FROM locked WHERE j.id = locked.id
    RETURNING j.*, locked.finished_at AS died_at
), not_dead AS (
    DELETE FROM engine.dead d USING moved m WHERE d.job_id = m.id
)
SELECT id, queue, key, kind, version, tenant, payload, attempt, crashes, dispatch, died_at, trace_context
FROM moved ORDER BY id
