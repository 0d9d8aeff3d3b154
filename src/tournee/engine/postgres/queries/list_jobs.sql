-- Ledger rows, the newest first. $1 queue, $2 states, $3 kind, $4 part of the key (each null: any),
-- $5 only ids below, $6 at most, $7 ids (null: any).
SELECT id, queue, key, kind, version, tenant, priority, payload, state, attempt, max_attempts, crashes, outages, snoozes,
       dispatch, lease, suspect, cancel_requested, worker_id, run_at, created_at, dispatched_at, started_at, finished_at,
       trace_context
FROM engine.jobs
WHERE ($1::text IS NULL OR queue = $1) AND ($2::engine.job_state[] IS NULL OR state = ANY ($2))
  AND ($3::text IS NULL OR kind = $3) AND ($4::text IS NULL OR strpos(key, $4) > 0)
  AND ($5::bigint IS NULL OR id < $5) AND ($7::bigint[] IS NULL OR id = ANY ($7))
ORDER BY id DESC
LIMIT $6
