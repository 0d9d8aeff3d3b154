-- Like list_jobs, for states that a narrow table finds without reading the finished rows. Every filter but the states
-- may be null. $1 queue, $2 states, $3 kind, $4 part of the key, $5 tenant, $6 created after, $7 created before,
-- $8 only ids below, $9 at most. OFFSET 0 keeps the planner from reading the whole ledger for the join.
SELECT j.id, j.queue, j.key, j.kind, j.version, j.tenant, j.priority, j.payload, j.state, j.attempt, j.max_attempts,
       j.crashes, j.outages, j.snoozes, j.dispatch, j.lease, j.suspect, j.cancel_requested, j.worker_id,
       j.run_at, j.created_at, j.dispatched_at, j.started_at, j.finished_at, j.trace_context
FROM (SELECT job_id FROM engine.ready WHERE 'pending' = ANY ($2::engine.job_state[])
      UNION ALL
      SELECT job_id FROM engine.inflight
      WHERE 'queued' = ANY ($2::engine.job_state[]) OR 'running' = ANY ($2::engine.job_state[])
      UNION ALL
      SELECT job_id FROM engine.dead WHERE 'dead' = ANY ($2::engine.job_state[])) live
CROSS JOIN LATERAL (SELECT * FROM engine.jobs WHERE id = live.job_id OFFSET 0) j
WHERE ($1::text IS NULL OR j.queue = $1) AND j.state = ANY ($2::engine.job_state[])
  AND ($3::text IS NULL OR j.kind = $3) AND ($4::text IS NULL OR strpos(j.key, $4) > 0)
  AND ($5::text IS NULL OR j.tenant = $5)
  AND ($6::timestamptz IS NULL OR j.created_at > $6) AND ($7::timestamptz IS NULL OR j.created_at < $7)
  AND ($8::bigint IS NULL OR j.id < $8)
ORDER BY j.id DESC
LIMIT $9
