-- Inserts jobs whose (queue, key) is new, in the caller's transaction, and makes them dispatchable.
-- Guard: ON CONFLICT (queue, key) DO NOTHING. Sorted, so that two callers of the same keys cannot deadlock.
-- Arrays, one element a job: $1 queue, $2 key, $3 kind, $4 version, $5 payload, $6 tenant, $7 priority,
-- $8 run_at (null: now + delay), $9 delay, $10 max_attempts (the queue's setting goes before), $11 trace_context; $12 the ageing interval.
-- Returns queue, key and id of what was inserted.
WITH input AS (
    SELECT *, coalesce(run_at, now() + delay) AS at
    FROM unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::jsonb[], $6::text[], $7::smallint[],
                $8::timestamptz[], $9::interval[], $10::smallint[], $11::text[])
        AS t (queue, key, kind, version, payload, tenant, priority, run_at, delay, max_attempts, trace_context)
), inserted AS (
    INSERT INTO engine.jobs (queue, key, kind, version, payload, tenant, priority, run_at, rank, max_attempts,
                             trace_context)
    SELECT i.queue, i.key, i.kind, i.version, i.payload, i.tenant, i.priority, i.at, i.at + i.priority * $12::interval,
           coalesce(q.max_attempts, i.max_attempts), i.trace_context
    FROM input i
    LEFT JOIN engine.queues q ON q.name = i.queue
    ORDER BY i.queue, i.key
    ON CONFLICT (queue, key) DO NOTHING
    RETURNING id, queue, key, tenant, rank, run_at, priority
), made_ready AS (
    INSERT INTO engine.ready (job_id, queue, tenant, rank, run_at, urgent, due)
    SELECT id, queue, tenant, rank, run_at, priority < 0, run_at <= now() FROM inserted
)
SELECT queue, key, id FROM inserted
