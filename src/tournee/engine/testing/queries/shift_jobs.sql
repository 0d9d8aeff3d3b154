-- Time passes for the pending jobs: each is due so much earlier. $1 by how much. Returns how many.
WITH shifted AS (
    UPDATE engine.jobs SET run_at = run_at - $1::interval, rank = rank - $1::interval WHERE state = 'pending' RETURNING id
), ready AS (
    UPDATE engine.ready SET run_at = run_at - $1::interval, rank = rank - $1::interval
)
SELECT count(*) FROM shifted
