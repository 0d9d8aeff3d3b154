-- The relay's mark: due pending rows become queued with a new dispatch number, before anything is added to Redis.
-- Tenants take turns: a rotating skip scan visits at most $4 tenants after $3 (then from the start), takes an equal
-- share of each in rank order, and orders all by turn, then rank. Urgent rows come first, at most $5 of them, which may
-- be more than $2. $1 queue, $2 need, $3 tenant cursor, $4 tenants to visit, $5 room for urgent ones.
-- Guard: state = 'pending'; locked in order of id, SKIP LOCKED. Returns the marked rows with their place in line,
-- and the last tenant visited (null where urgent rows took all the room: whose turn it is stays).
WITH RECURSIVE after_cursor (tenant, n) AS (
    (SELECT r.tenant, 1 FROM engine.ready r
     WHERE r.queue = $1 AND r.due AND r.tenant > $3 ORDER BY r.tenant LIMIT 1)
    UNION ALL
    SELECT (SELECT r.tenant FROM engine.ready r
            WHERE r.queue = $1 AND r.due AND r.tenant > a.tenant ORDER BY r.tenant LIMIT 1), a.n + 1
    FROM after_cursor a WHERE a.tenant IS NOT NULL AND a.n < $4
), from_start (tenant, n) AS (
    (SELECT r.tenant, 1 FROM engine.ready r
     WHERE r.queue = $1 AND r.due AND r.tenant <= $3 ORDER BY r.tenant LIMIT 1)
    UNION ALL
    SELECT (SELECT r.tenant FROM engine.ready r
            WHERE r.queue = $1 AND r.due AND r.tenant > s.tenant AND r.tenant <= $3 ORDER BY r.tenant LIMIT 1), s.n + 1
    FROM from_start s WHERE s.tenant IS NOT NULL AND s.n < $4 - (SELECT count(tenant) FROM after_cursor)
), tenants AS (
    SELECT tenant, row_number() OVER (ORDER BY part, n) AS place
    FROM (SELECT tenant, n, 1 AS part FROM after_cursor WHERE tenant IS NOT NULL
          UNION ALL
          SELECT tenant, n, 2 FROM from_start WHERE tenant IS NOT NULL) visited
    ORDER BY place
    LIMIT $4
), share AS (
    SELECT ceil($2::numeric / greatest(count(*), 1))::int AS size FROM tenants
), urgent AS (
    SELECT r.job_id, 0::bigint AS turn, r.rank FROM engine.ready r
    WHERE r.queue = $1 AND r.due AND r.urgent
    ORDER BY r.rank, r.job_id
    LIMIT $5
), fair AS (
    SELECT c.job_id, c.turn, c.rank
    FROM tenants t
    CROSS JOIN LATERAL (
        SELECT r.job_id, r.rank, row_number() OVER (ORDER BY r.rank, r.job_id) AS turn
        FROM engine.ready r
        WHERE r.queue = $1 AND r.due AND r.tenant = t.tenant
        ORDER BY r.rank, r.job_id
        LIMIT (SELECT size FROM share)
    ) c
    WHERE NOT EXISTS (SELECT FROM urgent u WHERE u.job_id = c.job_id)
    ORDER BY c.turn, c.rank, c.job_id
    LIMIT greatest($2 - (SELECT count(*) FROM urgent), 0)
), chosen AS (
    SELECT * FROM urgent UNION ALL SELECT * FROM fair
), locked AS (
    SELECT j.id FROM engine.jobs j
    WHERE j.id IN (SELECT job_id FROM chosen) AND j.state = 'pending'
    ORDER BY j.id
    FOR UPDATE SKIP LOCKED
), marked AS (
    UPDATE engine.jobs j
    SET state = 'queued', dispatch = j.dispatch + 1, dispatched_at = clock_timestamp()
    FROM locked WHERE j.id = locked.id
    RETURNING j.id, j.dispatch, j.queue, j.key, j.kind, j.tenant, j.payload, j.priority, j.attempt, j.max_attempts,
              j.created_at, j.trace_context
), not_ready AS (
    DELETE FROM engine.ready r USING marked m WHERE r.job_id = m.id
), in_flight AS (
    INSERT INTO engine.inflight (queue, job_id) SELECT queue, id FROM marked
)
SELECT m.*, (SELECT tenant FROM tenants WHERE EXISTS (SELECT FROM fair) ORDER BY place DESC LIMIT 1) AS last_tenant
FROM marked m JOIN chosen c ON c.job_id = m.id
ORDER BY c.turn, c.rank, m.id
