-- The relay's mark: due pending rows become queued with a new dispatch number, before anything is added to Redis.
-- To the front go urgent rows in rank order, then the first row of visited tenants with nothing in flight ($6), at most
-- $5 together. The rest takes turns: a rotating skip scan visits at most $4 tenants after $3 (then from the start),
-- passes over those at their limit, takes an equal share of each in rank order, and orders all by turn, then rank.
-- $1 queue, $2 places, those used at the front included, $3 tenant cursor, $4 tenants to visit, $5 places at the front,
-- $6 whether newcomers may go there, $7 in flight per tenant, $8 and $9 dispatches per tenant and period (null: no limit).
-- Guard: state = 'pending'; locked in order of id, SKIP LOCKED. Returns the marked rows in the order in which they shall
-- run, those for the front first; on each row, and on one without an id where none was marked, the last tenant whose
-- turn it was (null: nobody's) and in how many seconds a visited tenant without a token gets one.
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
), held AS (
    SELECT f.tenant, count(*)::int AS n FROM engine.inflight f
    WHERE f.queue = $1 AND ($6 OR $7::int IS NOT NULL)
    GROUP BY f.tenant
), buckets AS (
    -- One that holds more than is marked limits nothing.
    SELECT b.tenant, engine.count_tokens(b.tokens, b.refilled_at, $8, $9, statement_timestamp()) AS tokens
    FROM engine.rate_buckets b
    WHERE b.queue = $1 AND b.scope = 'tenant' AND $8::int IS NOT NULL AND b.tokens < greatest($2::bigint, $5::bigint)
), rooms AS (
    SELECT tenant, min(room) AS room
    FROM (SELECT tenant, $7 - n AS room FROM held WHERE $7 IS NOT NULL
          UNION ALL
          SELECT tenant, floor(tokens)::int FROM buckets) known
    GROUP BY tenant
), visited AS (
    SELECT v.tenant, row_number() OVER (ORDER BY v.part, v.n) AS place, h.tenant IS NULL AS newcomer,
           least(coalesce(r.room, 2147483647), $7, $8) AS room
    FROM (SELECT tenant, n, 1 AS part FROM after_cursor WHERE tenant IS NOT NULL
          UNION ALL
          SELECT tenant, n, 2 FROM from_start WHERE tenant IS NOT NULL) v
    LEFT JOIN rooms r ON r.tenant = v.tenant
    LEFT JOIN held h ON h.tenant = v.tenant
    ORDER BY place
    LIMIT $4
), urgent AS (
    SELECT u.job_id, u.tenant, u.rank
    FROM (SELECT s.*, row_number() OVER (PARTITION BY s.tenant ORDER BY s.rank, s.job_id) AS nth
          FROM (SELECT r.job_id, r.tenant, r.rank FROM engine.ready r
                WHERE r.queue = $1 AND r.due AND r.urgent
                ORDER BY r.rank, r.job_id
                LIMIT CASE WHEN $7 IS NULL AND $8 IS NULL THEN $5 ELSE 20 * $5 END) s) u
    LEFT JOIN rooms r ON r.tenant = u.tenant
    WHERE u.nth <= least(coalesce(r.room, 2147483647), $7, $8)
    ORDER BY u.rank, u.job_id
    LIMIT $5
), newcomers AS (
    SELECT c.job_id, v.tenant, c.rank
    FROM visited v
    CROSS JOIN LATERAL (
        SELECT r.job_id, r.rank, r.run_at FROM engine.ready r
        WHERE r.queue = $1 AND r.due AND r.tenant = v.tenant
        ORDER BY r.rank, r.job_id
        LIMIT 1
    ) c
    WHERE $6 AND v.newcomer AND v.room > 0 AND c.rank <= c.run_at
      AND NOT EXISTS (SELECT FROM urgent u WHERE u.tenant = v.tenant)
    ORDER BY c.rank, c.job_id
    LIMIT greatest($5 - (SELECT count(*) FROM urgent), 0)
), front AS (
    SELECT job_id, tenant, rank, 1 AS line FROM urgent UNION ALL SELECT job_id, tenant, rank, 2 FROM newcomers
), rest AS (
    SELECT greatest($2 - count(*), 0)::int AS size FROM front
), open AS (
    SELECT v.tenant, coalesce(t.ids, '{}') AS taken, v.room - coalesce(cardinality(t.ids), 0) AS room,
           row_number() OVER (ORDER BY v.place) AS nth
    FROM visited v
    LEFT JOIN (SELECT tenant, array_agg(job_id) AS ids FROM front GROUP BY tenant) t ON t.tenant = v.tenant
    WHERE v.room > coalesce(cardinality(t.ids), 0)
), tenants AS (
    SELECT * FROM open WHERE nth <= (SELECT size FROM rest)
), share AS (
    SELECT ceil((SELECT size FROM rest)::numeric / greatest(count(*), 1))::int AS size FROM tenants
), fair AS (
    SELECT c.job_id, c.turn, c.rank
    FROM tenants t
    CROSS JOIN LATERAL (
        SELECT r.job_id, r.rank, row_number() OVER (ORDER BY r.rank, r.job_id) AS turn
        FROM engine.ready r
        WHERE r.queue = $1 AND r.due AND r.tenant = t.tenant AND r.job_id <> ALL (t.taken)
        ORDER BY r.rank, r.job_id
        LIMIT least((SELECT size FROM share), t.room)
    ) c
    ORDER BY c.turn, c.rank, c.job_id
    LIMIT (SELECT size FROM rest)
), chosen AS (
    SELECT job_id, 0::bigint AS turn, line, rank, true AS front FROM front
    UNION ALL
    SELECT job_id, turn, 3, rank, false FROM fair
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
    INSERT INTO engine.inflight (queue, job_id, tenant) SELECT queue, id, tenant FROM marked
), round AS (
    SELECT CASE WHEN rest.size > 0
                THEN coalesce((SELECT tenant FROM tenants WHERE nth = rest.size),
                              (SELECT tenant FROM visited ORDER BY place DESC LIMIT 1)) END AS last_tenant,
           (SELECT min((1 - b.tokens) * extract(epoch FROM $9::interval)::float8 / $8)
            FROM visited v JOIN buckets b ON b.tenant = v.tenant WHERE b.tokens < 1) AS token_seconds
    FROM rest
)
SELECT m.*, round.last_tenant, round.token_seconds
FROM round
LEFT JOIN (SELECT n.*, c.turn, c.line, c.rank, c.front FROM marked n JOIN chosen c ON c.job_id = n.id) m ON true
ORDER BY m.turn, m.line, m.rank, m.id
