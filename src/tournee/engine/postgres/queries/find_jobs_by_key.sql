-- Ledger rows by (queue, key), for a page that knows the keys. $1 queues, $2 keys.
SELECT j.id, j.queue, j.key, j.kind, j.version, j.tenant, j.priority, j.payload, j.state, j.attempt, j.max_attempts,
       j.crashes, j.outages, j.snoozes, j.dispatch, j.lease, j.suspect, j.cancel_requested, j.worker_id,
       j.run_at, j.created_at, j.dispatched_at, j.started_at, j.finished_at, j.trace_context
FROM unnest($1::text[], $2::text[]) AS t (queue, key)
JOIN engine.jobs j ON j.queue = t.queue AND j.key = t.key
ORDER BY j.id
