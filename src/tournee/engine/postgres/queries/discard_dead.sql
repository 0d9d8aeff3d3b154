-- Discard: dead rows become cancelled. Guard: state = 'dead'. $1 ids. Returns the rows that moved.
WITH locked AS (
    SELECT id FROM engine.jobs WHERE id = ANY ($1::bigint[]) AND state = 'dead' ORDER BY id FOR UPDATE
), moved AS (
    UPDATE engine.jobs j SET state = 'cancelled' FROM locked WHERE j.id = locked.id
    RETURNING j.*
), not_dead AS (
    DELETE FROM engine.dead d USING moved m WHERE d.job_id = m.id
)
SELECT id, queue, key, kind, tenant, payload, attempt, crashes, dispatch, finished_at, trace_context FROM moved ORDER BY id
