-- The jobs that one message went through: the synchronisation that brought it, then analysis, indexing, deliveries.
-- Guard: reads only, by (queue, key) alone, so it stays fast at any size of the ledger. $1 message id.
-- A message names the job that brought it. One that was stored before messages did so has it looked for by time: the
-- synchronisation that was at work when it was stored, among the mailbox's last 500 generations.
WITH subject AS (
    SELECT m.id, m.mailbox_id, coalesce(n.created_at, m.received_at) AS stored_at, b.generation,
           m.fetch_job_id
    FROM news.messages m
    JOIN news.mailboxes b ON b.id = m.mailbox_id
    LEFT JOIN news.newsletters n ON n.id = m.id
    WHERE m.id = $1
),
sync AS (
    SELECT j.id
    FROM subject s
    CROSS JOIN LATERAL generate_series(greatest(s.generation - 500, 0), s.generation) AS g
    JOIN engine.jobs j ON j.queue = 'fetchEmails' AND j.key = s.mailbox_id || ':' || g
    WHERE s.fetch_job_id IS NULL
      AND j.started_at <= s.stored_at AND (j.finished_at IS NULL OR j.finished_at >= s.stored_at)
    ORDER BY j.started_at DESC
    LIMIT 1
),
keys AS (
    SELECT 'processMails' AS queue, s.id::text AS key FROM subject s
    UNION ALL SELECT 'indexNews', s.id::text FROM subject s
    UNION ALL SELECT 'sendNotifications', 'delivery:' || d.id FROM news.deliveries d WHERE d.newsletter_id = $1
)
SELECT j.id FROM keys k JOIN engine.jobs j ON j.queue = k.queue AND j.key = k.key
UNION ALL
SELECT id FROM sync
UNION ALL
SELECT j.id FROM subject s JOIN engine.jobs j ON j.id = s.fetch_job_id
ORDER BY id
