-- Purpose: end what a dead or cancelled job had claimed. The table holds only analyses in flight.
-- Guard: job $1. Returns: nothing.
DELETE FROM news.analysis_claims WHERE job_id = $1
