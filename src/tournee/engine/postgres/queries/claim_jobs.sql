-- The worker's claim, one statement for all that a fetch brought. Redis alone can start nothing.
-- Guard: state = 'queued', the same dispatch, queue not paused, breaker not open, run_at reached.
-- $1 ids, $2 dispatches, $3 worker, $4 time until the deadline. Returns the claimed rows, payload included.
WITH input AS (
    SELECT * FROM unnest($1::bigint[], $2::int[]) AS t (id, dispatch)
), locked AS (
    SELECT j.id
    FROM input i
    JOIN engine.jobs j ON j.id = i.id AND j.dispatch = i.dispatch
    JOIN engine.queues q ON q.name = j.queue
    LEFT JOIN engine.providers p ON p.name = q.provider
    WHERE j.state = 'queued' AND j.run_at <= now() AND NOT q.paused AND coalesce(p.state, 'closed') <> 'open'
    ORDER BY j.id
    FOR UPDATE OF j
)
UPDATE engine.jobs j
SET state = 'running', lease = j.lease + 1, worker_id = $3, started_at = clock_timestamp(),
    deadline_at = clock_timestamp() + $4::interval, alone = false
FROM locked WHERE j.id = locked.id
RETURNING j.id, j.dispatch, j.queue, j.key, j.kind, j.version, j.tenant, j.payload, j.lease, j.attempt,
          j.max_attempts, j.crashes, j.outages, j.suspect, j.cancel_requested, j.created_at, j.run_at,
          j.dispatched_at, j.started_at, j.trace_context
