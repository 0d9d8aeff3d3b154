-- Dead letters, the latest first, with the error that ended them.
-- Guard: reads only. $1 queue or NULL, $2 and $3 the place to go on from (died_at, id) or NULL, $4 how many.
SELECT
    j.id, j.queue, j.key, j.kind, j.tenant, j.attempt, j.max_attempts, j.crashes, j.created_at, d.died_at,
    e.error_class, e.message AS error, e.stack,
    CASE WHEN j.payload ->> 'newsletter_id' ~ '^[0-9]{1,18}$' THEN (j.payload ->> 'newsletter_id')::bigint END
        AS newsletter_id,
    m.subject
FROM engine.dead d
JOIN engine.jobs j ON j.id = d.job_id
LEFT JOIN LATERAL (
    SELECT t.error_class, t.message, t.stack FROM engine.job_attempts t WHERE t.job_id = j.id
    ORDER BY t.lease DESC LIMIT 1
) e ON true
LEFT JOIN news.messages m ON m.id = CASE WHEN j.payload ->> 'newsletter_id' ~ '^[0-9]{1,18}$'
                                         THEN (j.payload ->> 'newsletter_id')::bigint END
WHERE ($1::text IS NULL OR d.queue = $1)
  AND ($2::timestamptz IS NULL OR (d.died_at, d.job_id) < ($2, $3::bigint))
ORDER BY d.died_at DESC, d.job_id DESC
LIMIT $4
