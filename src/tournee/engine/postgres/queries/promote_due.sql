-- Makes rows whose run_at has come dispatchable, and reads what the mark needs; under the fill lock, in a statement of
-- its own, so that two relays cannot both fill the same room. $1 queue, $2 promote at most, $3 whether the rows in flight
-- of its provider's other queues count too. Guard: NOT due; SKIP LOCKED, so that a cancel in progress is not waited for.
-- Returns promoted, how many are in flight, and where this fill's round of tenants begins.
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
SELECT (SELECT count(*) FROM promoted) AS promoted, q.tenant_cursor,
       (SELECT count(*) FROM engine.inflight f
        WHERE f.queue IN (SELECT $1 UNION SELECT o.name FROM engine.queues o WHERE $3 AND o.provider = q.provider)
       ) AS inflight
FROM engine.queues q WHERE q.name = $1
