-- Makes sure that each queue and its provider has a row; changes what is declared of a known one: the last declaration
-- is in force. $1 names, $2 priorities, $3 providers (null: none), $4 attempts in all (null: as the payload says),
-- $5 in flight at most, $6 of a tenant, $7 and $8 dispatches in a period, $9 and $10 of a tenant (null: no limit).
-- Returns nothing.
WITH input AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::int[], $6::int[], $7::int[],
                         $8::interval[], $9::int[], $10::interval[])
        AS t (name, priority, provider, max_attempts, concurrency_limit, tenant_concurrency_limit, rate_limit,
              rate_period, tenant_rate_limit, tenant_rate_period)
), provider AS (
    INSERT INTO engine.providers (name)
    SELECT DISTINCT provider FROM input WHERE provider IS NOT NULL ORDER BY provider
    ON CONFLICT (name) DO NOTHING
)
INSERT INTO engine.queues (name, priority, provider, max_attempts, concurrency_limit, tenant_concurrency_limit,
                           rate_limit, rate_period, tenant_rate_limit, tenant_rate_period)
SELECT * FROM input ORDER BY name
ON CONFLICT (name) DO UPDATE SET
    priority = excluded.priority, provider = excluded.provider, max_attempts = excluded.max_attempts,
    concurrency_limit = excluded.concurrency_limit, tenant_concurrency_limit = excluded.tenant_concurrency_limit,
    rate_limit = excluded.rate_limit, rate_period = excluded.rate_period,
    tenant_rate_limit = excluded.tenant_rate_limit, tenant_rate_period = excluded.tenant_rate_period
WHERE (queues.priority, queues.provider, queues.max_attempts, queues.concurrency_limit, queues.tenant_concurrency_limit,
       queues.rate_limit, queues.rate_period, queues.tenant_rate_limit, queues.tenant_rate_period)
    IS DISTINCT FROM
      (excluded.priority, excluded.provider, excluded.max_attempts, excluded.concurrency_limit,
       excluded.tenant_concurrency_limit, excluded.rate_limit, excluded.rate_period, excluded.tenant_rate_limit,
       excluded.tenant_rate_period)
