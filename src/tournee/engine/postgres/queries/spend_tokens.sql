-- Takes what was marked out of the buckets of the queue and of its tenants, where they are limited; in the transaction
-- of the mark, under the fill lock, by which nobody else spends of this queue. $1 queue, $2 tenants, $3 how many of each.
-- Returns in how many seconds a bucket that the mark emptied holds a token again (null: none was); it may hold one by
-- now, since the mark did not see what has flowed in since the transaction began.
WITH clock AS MATERIALIZED (
    SELECT statement_timestamp() AS at
), spent AS (
    SELECT 'queue' AS scope, '' AS tenant, sum(n)::int AS n FROM unnest($3::int[]) AS t (n)
    UNION ALL
    SELECT 'tenant', tenant, n FROM unnest($2::text[], $3::int[]) AS t (tenant, n)
), limited AS (
    SELECT s.*, CASE s.scope WHEN 'queue' THEN q.rate_limit ELSE q.tenant_rate_limit END AS rate_limit,
           CASE s.scope WHEN 'queue' THEN q.rate_period ELSE q.tenant_rate_period END AS rate_period
    FROM spent s JOIN engine.queues q ON q.name = $1
), written AS (
    INSERT INTO engine.rate_buckets (queue, scope, tenant, tokens, refilled_at)
    SELECT $1, l.scope, l.tenant,
           engine.count_tokens(b.tokens, b.refilled_at, l.rate_limit, l.rate_period, c.at) - l.n, c.at
    FROM limited l
    CROSS JOIN clock c
    LEFT JOIN engine.rate_buckets b ON b.queue = $1 AND b.scope = l.scope AND b.tenant = l.tenant
    WHERE l.rate_limit IS NOT NULL
    ORDER BY l.scope, l.tenant
    ON CONFLICT (queue, scope, tenant) DO UPDATE SET tokens = excluded.tokens, refilled_at = excluded.refilled_at
    RETURNING scope, tenant, tokens
)
SELECT min((1 - w.tokens) * t.seconds)
FROM written w
JOIN limited l ON l.scope = w.scope AND l.tenant = w.tenant
CROSS JOIN LATERAL (SELECT extract(epoch FROM l.rate_period)::float8 / l.rate_limit AS seconds) t
CROSS JOIN clock c
WHERE w.tokens - extract(epoch FROM c.at - now())::float8 / t.seconds < 1
