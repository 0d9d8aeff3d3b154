-- Dead letters, the latest first, each with its last recorded error. Every filter may be null: any.
-- $1 queue, $2 kind, $3 part of the key, $4 tenant, $5 part of the error's class or message, $6 died after,
-- $7 died before, $8 ids, $9 at most, $10 offset. OFFSET 0 keeps the planner from reading the whole ledger for the join.
SELECT j.id, j.queue, j.key, j.kind, j.version, j.tenant, j.payload, j.attempt, j.crashes, j.dispatch, d.died_at,
       j.trace_context,
       coalesce(a.error_class, '') AS error_class, coalesce(a.message, '') AS message, coalesce(a.stack, '') AS stack
FROM engine.dead d
CROSS JOIN LATERAL (SELECT * FROM engine.jobs WHERE id = d.job_id OFFSET 0) j
LEFT JOIN LATERAL (
    SELECT error_class, message, stack FROM engine.job_attempts x
    WHERE x.job_id = j.id ORDER BY lease DESC LIMIT 1
) a ON true
WHERE ($1::text IS NULL OR d.queue = $1) AND ($2::text IS NULL OR j.kind = $2)
  AND ($3::text IS NULL OR strpos(j.key, $3) > 0) AND ($4::text IS NULL OR j.tenant = $4)
  AND ($5::text IS NULL OR strpos(lower(a.error_class || ' ' || a.message), lower($5)) > 0)
  AND ($6::timestamptz IS NULL OR d.died_at > $6) AND ($7::timestamptz IS NULL OR d.died_at < $7)
  AND ($8::bigint[] IS NULL OR d.job_id = ANY ($8))
ORDER BY d.died_at DESC, d.job_id DESC
LIMIT $9 OFFSET $10
