-- Removes buckets that are full again, or whose limit is gone: they are as good as none. $1 at most.
-- Guard: locked in order of their key, SKIP LOCKED, so that no mark waits. Returns how many.
WITH stale AS (
    SELECT b.queue, b.scope, b.tenant
    FROM engine.rate_buckets b
    JOIN engine.queues q ON q.name = b.queue
    WHERE b.refilled_at < statement_timestamp()
          - coalesce(CASE b.scope WHEN 'queue' THEN q.rate_period ELSE q.tenant_rate_period END, interval '0')
    ORDER BY b.queue, b.scope, b.tenant
    LIMIT $1
    FOR UPDATE OF b SKIP LOCKED
), removed AS (
    DELETE FROM engine.rate_buckets b USING stale s
    WHERE (b.queue, b.scope, b.tenant) = (s.queue, s.scope, s.tenant)
    RETURNING 1
)
SELECT count(*) FROM removed
