-- Ledger rows, the latest first, with their last error; for the console's list of jobs.
-- Guard: reads only. $1 queue or NULL, $2 state or NULL, $3 exact key or NULL, $4 only ids below or NULL, $5 how many.
-- A state is looked up in its narrow table (ready, inflight, dead); completed and cancelled rows are read down
-- the primary key, at most 500,000 rows deep, so that a rare state can't make it read the whole ledger.
WITH candidates AS (
    (SELECT r.job_id AS id FROM engine.ready r
     WHERE $3::text IS NULL AND $2 = 'pending' AND ($1::text IS NULL OR r.queue = $1)
       AND ($4::bigint IS NULL OR r.job_id < $4)
     ORDER BY r.job_id DESC LIMIT $5)
    UNION ALL
    (SELECT f.job_id FROM engine.inflight f JOIN engine.jobs j ON j.id = f.job_id
     WHERE $3::text IS NULL AND $2 IN ('queued', 'running') AND j.state::text = $2
       AND ($1::text IS NULL OR f.queue = $1) AND ($4::bigint IS NULL OR f.job_id < $4)
     ORDER BY f.job_id DESC LIMIT $5)
    UNION ALL
    (SELECT d.job_id FROM engine.dead d
     WHERE $3::text IS NULL AND $2 = 'dead' AND ($1::text IS NULL OR d.queue = $1)
       AND ($4::bigint IS NULL OR d.job_id < $4)
     ORDER BY d.job_id DESC LIMIT $5)
    UNION ALL
    (SELECT j.id FROM engine.jobs j
     WHERE $3::text IS NULL AND ($2::text IS NULL OR $2 IN ('completed', 'cancelled'))
       AND ($2::text IS NULL OR j.state::text = $2) AND ($1::text IS NULL OR j.queue = $1)
       AND ($4::bigint IS NULL OR j.id < $4)
       AND j.id > coalesce($4, (SELECT max(m.id) FROM engine.jobs m)) - 500000
     ORDER BY j.id DESC LIMIT $5)
    UNION ALL
    (SELECT j.id FROM engine.jobs j
     WHERE $3::text IS NOT NULL AND j.key = $3 AND j.queue = ANY (SELECT q.name FROM engine.queues q)
       AND ($1::text IS NULL OR j.queue = $1) AND ($2::text IS NULL OR j.state::text = $2)
       AND ($4::bigint IS NULL OR j.id < $4)
     ORDER BY j.id DESC LIMIT $5)
)
SELECT
    j.id, j.queue, j.key, j.kind, j.tenant, j.state::text AS state, j.priority, j.attempt, j.max_attempts, j.crashes,
    j.outages, j.dispatch, j.run_at, j.created_at, j.started_at, j.finished_at, e.error_class, e.message AS error
FROM candidates c
JOIN engine.jobs j ON j.id = c.id
LEFT JOIN LATERAL (
    SELECT t.error_class, t.message FROM engine.job_attempts t WHERE t.job_id = j.id ORDER BY t.lease DESC LIMIT 1
) e ON j.state <> 'completed'
ORDER BY j.id DESC
LIMIT $5
