-- Redrive: dead rows become pending with fresh budgets and the same id. Guard: state = 'dead'. $1 ids,
-- $2 ageing interval. Returns the rows that moved.
WITH locked AS (
    SELECT id FROM engine.jobs WHERE id = ANY ($1::bigint[]) AND state = 'dead' ORDER BY id FOR UPDATE
), moved AS (
    UPDATE engine.jobs j
    SET state = 'pending', attempt = 0, crashes = 0, finished_at = NULL, run_at = now(),
        rank = now() + j.priority * $2::interval, cancel_requested = false
    FROM locked WHERE j.id = locked.id
    RETURNING j.*
), not_dead AS (
    DELETE FROM engine.dead d USING moved m WHERE d.job_id = m.id
), made_ready AS (
    INSERT INTO engine.ready (job_id, queue, tenant, rank, run_at, urgent, due)
    SELECT id, queue, tenant, rank, run_at, priority < 0, true FROM moved
)
SELECT id, queue, key, kind, version, tenant, payload, attempt, crashes, dispatch, now() AS died_at, trace_context
FROM moved
