-- The running rows that bear a worker's id, to be compared with what the process holds. $1 worker.
-- OFFSET 0 keeps the planner from reading the whole ledger for the join. Returns id, lease, cancel_requested.
SELECT j.id, j.lease, j.cancel_requested
FROM engine.inflight f CROSS JOIN LATERAL (SELECT * FROM engine.jobs WHERE id = f.job_id OFFSET 0) j
WHERE j.state = 'running' AND j.worker_id = $1
