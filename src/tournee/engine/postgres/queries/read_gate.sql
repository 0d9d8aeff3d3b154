-- What the relay must know of a queue before it fills it. $1 queue.
-- Returns paused, provider, breaker, whether an open breaker's time has come, for how long one that was open is closed,
-- epoch, total concurrency and consumption of its live workers, the queue's limit of rows in flight, and whether it or a
-- tenant's limits them, so that each settled job may make room.
SELECT q.paused, q.provider, q.epoch, q.concurrency_limit,
       q.concurrency_limit IS NOT NULL OR q.tenant_concurrency_limit IS NOT NULL AS limited,
       coalesce(p.state, 'closed') AS breaker,
       coalesce(p.state = 'open' AND p.retry_at <= now(), false) AS breaker_due,
       CASE WHEN p.state = 'closed' AND p.opened_at IS NOT NULL
            THEN extract(epoch FROM now() - p.changed_at)::float8 END AS closed_for,
       coalesce(w.concurrency, 0)::int AS concurrency,
       coalesce(w.consumed, 0)::float8 AS consumed
FROM engine.queues q
LEFT JOIN engine.providers p ON p.name = q.provider
LEFT JOIN LATERAL (
    SELECT sum((w.queues -> q.name ->> 'concurrency')::int) AS concurrency,
           sum((w.queues -> q.name ->> 'consumed_per_second')::float8) AS consumed
    FROM engine.workers w
    WHERE w.queues ? q.name AND NOT w.stopping AND w.beat_at > now() - interval '30 seconds'
) w ON true
WHERE q.name = $1
