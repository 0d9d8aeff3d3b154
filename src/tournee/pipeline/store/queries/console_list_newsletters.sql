-- Newsletters, the latest first, each with what its stages did so far; for the console's lists.
-- Guard: reads only. $1 state or NULL, $2 mailbox id or NULL, $3 text in subject or sender or NULL, $4 only ids
-- below or NULL, $5 how many, $6 only these ids or NULL. `job_state`, `job_attempt` are those of its processMails job, NULL when it was pruned.
SELECT
    m.id, m.mailbox_id, b.name AS mailbox, m.subject, m.from_name, m.from_address, m.received_at, m.sent_at,
    n.state, n.cache_hit, n.invalid_reason, n.index_error, n.created_at AS stored_at, n.analysed_at, n.indexed_at,
    a.title, a.summary, a.summary_language, coalesce(a.language, 'und') AS language, a.topics, a.analyser, a.kind,
    a.reading_minutes,
    j.id AS job_id, j.state::text AS job_state, j.attempt AS job_attempt,
    d.planned AS deliveries_planned, d.sent AS deliveries_sent, d.failed AS deliveries_failed, d.sent_at AS delivered_at
FROM news.newsletters n
JOIN news.messages m ON m.id = n.id
JOIN news.mailboxes b ON b.id = n.mailbox_id
LEFT JOIN news.analyses a ON a.id = n.analysis_id
LEFT JOIN engine.jobs j ON j.queue = 'processMails' AND j.key = n.id::text
LEFT JOIN LATERAL (
    SELECT
        count(*)::int AS planned,
        count(*) FILTER (WHERE state = 'sent')::int AS sent,
        count(*) FILTER (WHERE state = 'failed')::int AS failed,
        max(sent_at) AS sent_at
    FROM news.deliveries
    WHERE newsletter_id = n.id
) d ON true
WHERE ($1::text IS NULL OR n.state = $1)
  AND ($2::bigint IS NULL OR n.mailbox_id = $2)
  AND ($3::text IS NULL OR strpos(lower(m.subject || ' ' || m.from_name || ' ' || m.from_address), lower($3)) > 0)
  AND ($4::bigint IS NULL OR n.id < $4)
  AND ($6::bigint[] IS NULL OR n.id = ANY ($6))
ORDER BY n.id DESC
LIMIT $5
