-- One failed, timed out, crashed or parked attempt. Unique by (job, lease), so a repeat changes nothing.
-- $1 job, $2 lease, $3 outcome, $4 error class, $5 message, $6 stack; worker and start come from the job's row.
INSERT INTO engine.job_attempts (job_id, lease, worker_id, started_at, outcome, error_class, message, stack)
SELECT id, $2, worker_id, started_at, $3, $4, $5, $6 FROM engine.jobs WHERE id = $1
ON CONFLICT (job_id, lease) DO NOTHING
