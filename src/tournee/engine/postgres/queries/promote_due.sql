-- Makes rows whose run_at has come dispatchable, and reads what the mark needs; under the fill lock, in a statement of
-- its own, so that two relays cannot both fill the same room. $1 queue, $2 promote at most, $3 whether the rows in flight
-- of its provider's other queues count too. Guard: NOT due; SKIP LOCKED, so that a cancel in progress is not waited for.
-- Returns promoted, whether the queue is paused and its breaker half-open (null: open), how many rows and tenants are in
-- flight and how many of the provider, the limits in force, what the queue's bucket holds and when it holds one more, how
-- many tenants are at their limit, and where this fill's round begins.
WITH due AS (
    SELECT job_id FROM engine.ready
    WHERE queue = $1 AND NOT due AND run_at <= now()
    ORDER BY run_at, job_id
    LIMIT $2
    FOR UPDATE SKIP LOCKED
), promoted AS (
    UPDATE engine.ready r SET due = true FROM due WHERE r.job_id = due.job_id
    RETURNING 1
), held AS MATERIALIZED (
    SELECT count(*) AS n FROM engine.inflight WHERE queue = $1 GROUP BY tenant
)
SELECT (SELECT count(*) FROM promoted) AS promoted,
       q.paused, CASE coalesce(p.state, 'closed') WHEN 'half-open' THEN true WHEN 'closed' THEN false END AS half_open,
       q.tenant_cursor, q.front_debt, q.concurrency_limit, q.tenant_concurrency_limit,
       q.rate_limit, q.tenant_rate_limit, q.tenant_rate_period,
       h.in_flight, h.tenants,
       CASE WHEN $3
            THEN (SELECT count(*) FROM engine.inflight f JOIN engine.queues o ON o.name = f.queue
                  WHERE o.name = $1 OR o.provider = q.provider)
            ELSE h.in_flight END AS counted,
       b.tokens,
       CASE WHEN b.tokens < 1
            THEN (1 - b.tokens) * extract(epoch FROM q.rate_period)::float8 / q.rate_limit END AS token_seconds,
       h.full_tenants + CASE WHEN q.tenant_rate_limit IS NULL THEN 0 ELSE
           (SELECT count(*) FROM engine.rate_buckets t
            WHERE t.queue = $1 AND t.scope = 'tenant' AND t.tokens < 1
              AND engine.count_tokens(t.tokens, t.refilled_at, q.tenant_rate_limit, q.tenant_rate_period,
                                      statement_timestamp()) < 1)
           END AS full_tenants
FROM engine.queues q
LEFT JOIN engine.providers p ON p.name = q.provider
CROSS JOIN LATERAL (
    SELECT coalesce(sum(n), 0)::int AS in_flight, count(*)::int AS tenants,
           count(*) FILTER (WHERE n >= q.tenant_concurrency_limit) AS full_tenants
    FROM held
) h
LEFT JOIN LATERAL (
    SELECT engine.count_tokens(max(r.tokens), max(r.refilled_at), q.rate_limit, q.rate_period, statement_timestamp()) AS tokens
    FROM engine.rate_buckets r WHERE r.queue = $1 AND r.scope = 'queue'
) b ON q.rate_limit IS NOT NULL
WHERE q.name = $1
