-- The recorded attempts of jobs, oldest first. $1 job ids.
SELECT job_id, lease, worker_id, started_at, finished_at, outcome, error_class, message, stack
FROM engine.job_attempts WHERE job_id = ANY ($1::bigint[]) ORDER BY job_id, lease
