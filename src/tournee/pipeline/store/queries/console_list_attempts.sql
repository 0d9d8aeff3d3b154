-- The failed attempts of some jobs, oldest first.
-- Guard: reads only. $1 job ids.
SELECT
    t.job_id, t.lease, t.worker_id::text AS worker_id, w.name AS worker, t.started_at, t.finished_at, t.outcome,
    t.error_class, t.message, t.stack
FROM engine.job_attempts t
LEFT JOIN engine.workers w ON w.id = t.worker_id
WHERE t.job_id = ANY ($1::bigint[])
ORDER BY t.job_id, t.lease
