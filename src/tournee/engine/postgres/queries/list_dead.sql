-- Dead letters, the latest first, each with its last recorded error.
-- $1 queue (null: all), $2 at most, $3 offset, $4 ids (null: all), $5 part of the error's text (null: any).
SELECT j.id, j.queue, j.key, j.kind, j.tenant, j.payload, j.attempt, j.crashes, j.dispatch, d.died_at, j.trace_context,
       coalesce(a.error_class, '') AS error_class, coalesce(a.message, '') AS message, coalesce(a.stack, '') AS stack
FROM engine.dead d
JOIN engine.jobs j ON j.id = d.job_id
LEFT JOIN LATERAL (
    SELECT error_class, message, stack FROM engine.job_attempts x
    WHERE x.job_id = j.id ORDER BY lease DESC LIMIT 1
) a ON true
WHERE ($1::text IS NULL OR d.queue = $1) AND ($4::bigint[] IS NULL OR d.job_id = ANY ($4))
  AND ($5::text IS NULL OR a.error_class ILIKE '%' || $5 || '%' OR a.message ILIKE '%' || $5 || '%')
ORDER BY d.died_at DESC, d.job_id DESC
LIMIT $2 OFFSET $3
