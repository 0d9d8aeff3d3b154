-- All that may keep one job from starting: switches, breaker, time, workers, limits, the jobs before it.
-- Guard: reads only; counts at most 1,000 jobs before it. $1 job id. Returns one row, or none where the job is neither
-- pending nor queued. `ahead` counts due jobs of its queue with an earlier rank; tenants take turns, so it is a measure.
WITH subject AS (
    SELECT j.id, j.queue, j.state::text AS state, j.tenant, j.run_at, j.rank, j.suspect
    FROM engine.jobs j WHERE j.id = $1 AND j.state IN ('pending', 'queued')
), buckets AS (
    SELECT b.scope,
           engine.count_tokens(
               b.tokens, b.refilled_at,
               CASE b.scope WHEN 'queue' THEN q.rate_limit ELSE q.tenant_rate_limit END,
               CASE b.scope WHEN 'queue' THEN q.rate_period ELSE q.tenant_rate_period END, statement_timestamp()
           ) AS tokens
    FROM subject s
    JOIN engine.queues q ON q.name = s.queue
    JOIN engine.rate_buckets b ON b.queue = s.queue
    WHERE (b.scope = 'queue' AND q.rate_limit IS NOT NULL)
       OR (b.scope = 'tenant' AND b.tenant = s.tenant AND q.tenant_rate_limit IS NOT NULL)
)
SELECT s.queue, s.state, s.run_at, s.run_at <= statement_timestamp() AS due, s.tenant, s.suspect, q.paused, q.provider,
       coalesce(p.state, 'closed') AS breaker, p.reason, p.retry_at,
       coalesce((SELECT sum((w.queues -> s.queue ->> 'concurrency')::int) FROM engine.workers w
                 WHERE w.queues ? s.queue AND NOT w.stopping AND w.beat_at > now() - interval '30 seconds'), 0)::int
           AS places,
       (SELECT count(*) FROM engine.inflight f WHERE f.queue = s.queue)::int AS in_flight,
       (SELECT count(*) FROM engine.inflight f WHERE f.queue = s.queue AND f.tenant = s.tenant)::int
           AS tenant_in_flight,
       (SELECT count(*) FROM (SELECT FROM engine.ready r WHERE r.queue = s.queue AND r.due
                                AND (r.rank, r.job_id) < (s.rank, s.id) LIMIT 1000) before)::int AS ahead,
       q.concurrency_limit AS concurrency, q.tenant_concurrency_limit AS per_tenant_concurrency,
       q.rate_limit AS rate_count, extract(epoch FROM q.rate_period)::float8 AS rate_seconds,
       q.tenant_rate_limit AS per_tenant_rate_count,
       extract(epoch FROM q.tenant_rate_period)::float8 AS per_tenant_rate_seconds,
       (SELECT tokens FROM buckets WHERE scope = 'queue') AS rate_left,
       (SELECT tokens FROM buckets WHERE scope = 'tenant') AS per_tenant_rate_left
FROM subject s
JOIN engine.queues q ON q.name = s.queue
LEFT JOIN engine.providers p ON p.name = q.provider
