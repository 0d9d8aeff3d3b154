-- Ledger rows, the newest first. Every filter may be null: any. $1 queue, $2 states, $3 kind, $4 part of the key,
-- $5 tenant, $6 created after, $7 created before, $8 only ids below, $9 at most, $10 ids.
SELECT id, queue, key, kind, version, tenant, priority, payload, state, attempt, max_attempts, crashes, outages,
       snoozes, dispatch, lease, suspect, cancel_requested, worker_id, run_at, created_at, dispatched_at,
       started_at, finished_at, trace_context
FROM engine.jobs
WHERE ($1::text IS NULL OR queue = $1) AND ($2::engine.job_state[] IS NULL OR state = ANY ($2))
  AND ($3::text IS NULL OR kind = $3) AND ($4::text IS NULL OR strpos(key, $4) > 0)
  AND ($5::text IS NULL OR tenant = $5)
  AND ($6::timestamptz IS NULL OR created_at > $6) AND ($7::timestamptz IS NULL OR created_at < $7)
  AND ($8::bigint IS NULL OR id < $8) AND ($10::bigint[] IS NULL OR id = ANY ($10))
ORDER BY id DESC
LIMIT $9
