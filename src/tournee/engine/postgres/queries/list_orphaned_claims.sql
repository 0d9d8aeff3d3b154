-- Running rows that nobody works on: their worker is dead ($1) or has no row, or they are past their deadline.
-- Found without a lock, by key (OFFSET 0 keeps the planner from reading the whole ledger for the join), then locked in
-- order of id and judged again; SKIP LOCKED: a completion in progress wins. $2 at most.
-- Returns what is needed to rescue or bury each.
WITH found AS (
    SELECT j.id
    FROM engine.inflight f
    CROSS JOIN LATERAL (SELECT * FROM engine.jobs WHERE id = f.job_id OFFSET 0) j
    WHERE j.state = 'running'
      AND (j.worker_id = ANY ($1::uuid[]) OR j.deadline_at < now()
           OR NOT EXISTS (SELECT FROM engine.workers w WHERE w.id = j.worker_id))
    ORDER BY j.id
    LIMIT $2
)
SELECT j.id, j.lease, j.worker_id, j.started_at, j.alone, j.crashes,
       (j.worker_id = ANY ($1::uuid[]) OR NOT EXISTS (SELECT FROM engine.workers w WHERE w.id = j.worker_id)) AS crashed
FROM engine.jobs j
WHERE j.id = ANY (ARRAY(SELECT id FROM found)) AND j.state = 'running'
  AND (j.worker_id = ANY ($1::uuid[]) OR j.deadline_at < now()
       OR NOT EXISTS (SELECT FROM engine.workers w WHERE w.id = j.worker_id))
ORDER BY j.id
FOR UPDATE OF j SKIP LOCKED
