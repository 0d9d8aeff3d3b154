-- Whole ledger rows by id, for a job's page and for a newsletter's trace.
-- Guard: reads only. $1 ids. `newsletter_id` is taken from the payload, or from the delivery that it names.
SELECT
    j.id, j.queue, j.key, j.kind, j.version, j.payload, j.tenant, j.priority, j.state::text AS state, j.attempt,
    j.max_attempts, j.crashes, j.outages, j.snoozes, j.dispatch, j.lease, j.suspect, j.cancel_requested,
    j.worker_id::text AS worker_id, w.name AS worker, j.run_at, j.created_at, j.dispatched_at, j.started_at,
    j.deadline_at, j.finished_at, j.trace_context,
    coalesce(
        CASE WHEN j.payload ->> 'newsletter_id' ~ '^[0-9]{1,18}$' THEN (j.payload ->> 'newsletter_id')::bigint END,
        (SELECT d.newsletter_id FROM news.deliveries d
         WHERE d.id = CASE WHEN j.payload ->> 'delivery_id' ~ '^[0-9]{1,18}$'
                           THEN (j.payload ->> 'delivery_id')::bigint END)
    ) AS newsletter_id
FROM engine.jobs j
LEFT JOIN engine.workers w ON w.id = j.worker_id
WHERE j.id = ANY ($1::bigint[])
ORDER BY j.id
