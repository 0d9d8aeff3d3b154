-- The running rows that bear a worker's id, to be compared with what the process holds. $1 worker.
-- Returns id, lease, cancel_requested.
SELECT j.id, j.lease, j.cancel_requested
FROM engine.inflight f JOIN engine.jobs j ON j.id = f.job_id
WHERE j.state = 'running' AND j.worker_id = $1
