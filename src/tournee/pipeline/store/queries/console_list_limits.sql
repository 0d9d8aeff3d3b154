-- What each queue may have in flight and may dispatch, and what its rate leaves now. Null: no such limit.
-- Guard: reads only. Returns one row for each queue that has a limit; periods in seconds.
SELECT q.name AS queue, q.concurrency_limit AS concurrency, q.tenant_concurrency_limit AS per_tenant_concurrency,
       q.rate_limit AS rate_count, extract(epoch FROM q.rate_period)::float8 AS rate_seconds,
       q.tenant_rate_limit AS per_tenant_rate_count,
       extract(epoch FROM q.tenant_rate_period)::float8 AS per_tenant_rate_seconds,
       CASE WHEN q.rate_limit IS NOT NULL
            THEN engine.count_tokens(b.tokens, b.refilled_at, q.rate_limit, q.rate_period, statement_timestamp())
       END AS rate_left
FROM engine.queues q
LEFT JOIN engine.rate_buckets b ON b.queue = q.name AND b.scope = 'queue' AND b.tenant = ''
WHERE num_nonnulls(q.concurrency_limit, q.tenant_concurrency_limit, q.rate_limit, q.tenant_rate_limit) > 0
ORDER BY q.name
