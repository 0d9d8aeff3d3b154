-- After a claim whose answer was lost: which of these rows run under our name. $1 ids, $2 dispatches, $3 worker.
SELECT j.id, j.dispatch, j.queue, j.key, j.kind, j.version, j.tenant, j.payload, j.lease, j.attempt,
       j.max_attempts, j.crashes, j.outages, j.suspect, j.cancel_requested, j.created_at, j.run_at,
       j.dispatched_at, j.started_at, j.trace_context
FROM unnest($1::bigint[], $2::int[]) AS t (id, dispatch)
JOIN engine.jobs j ON j.id = t.id AND j.dispatch = t.dispatch
WHERE j.state = 'running' AND j.worker_id = $3
