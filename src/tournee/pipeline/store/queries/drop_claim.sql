-- Purpose: end the single flight of key $1.
-- Guard: job $2 has it. Returns: nothing.
DELETE FROM news.analysis_claims WHERE cache_key = $1 AND job_id = $2
