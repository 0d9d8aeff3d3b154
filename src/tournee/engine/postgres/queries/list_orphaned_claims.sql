-- Running rows that nobody works on: their worker is dead ($1) or has no row, or they are past their deadline.
-- Locked in order of id, SKIP LOCKED: a completion in progress wins. $2 at most.
-- Returns what is needed to rescue or bury each.
SELECT j.id, j.lease, j.worker_id, j.started_at, j.alone, j.crashes,
       (j.worker_id = ANY ($1::uuid[]) OR w.id IS NULL) AS crashed
FROM engine.inflight f
JOIN engine.jobs j ON j.id = f.job_id
LEFT JOIN engine.workers w ON w.id = j.worker_id
WHERE j.state = 'running'
  AND (j.worker_id = ANY ($1::uuid[]) OR w.id IS NULL OR j.deadline_at < now())
ORDER BY j.id
LIMIT $2
FOR UPDATE OF j SKIP LOCKED
