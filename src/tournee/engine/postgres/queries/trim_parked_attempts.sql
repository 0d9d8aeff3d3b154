-- A job that waits out an outage of weeks is parked over and over: only the latest of those attempts are kept, the
-- failed ones all. $1 job ids, $2 how many to keep of each.
DELETE FROM engine.job_attempts a
USING (
    SELECT job_id, lease, row_number() OVER (PARTITION BY job_id ORDER BY lease DESC) AS age
    FROM engine.job_attempts WHERE job_id = ANY ($1::bigint[]) AND outcome = 'parked'
) parked
WHERE a.job_id = parked.job_id AND a.lease = parked.lease AND parked.age > $2
