-- Purpose: single flight: job $2 computes the analysis of key $1, for at most $3.
-- Guard: nobody else has a claim that still runs. Returns: job_id, or no row for the loser.
INSERT INTO news.analysis_claims AS c (cache_key, job_id, until)
VALUES ($1, $2, clock_timestamp() + $3::interval)
ON CONFLICT (cache_key) DO UPDATE SET job_id = EXCLUDED.job_id, until = EXCLUDED.until
WHERE c.job_id = EXCLUDED.job_id OR c.until < clock_timestamp()
RETURNING job_id
