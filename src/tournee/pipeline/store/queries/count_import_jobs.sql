-- Purpose: what went wrong on the way of one import: failed attempts (also those made good later) and dead jobs.
-- Parked and crashed attempts are no failures of the job. O(import): each job is entered by (queue, key).
-- Guard: none, a read. Returns: failed, dead.
WITH newsletters AS (
    SELECT id FROM news.messages WHERE import_id = $1 AND class = 'newsletter'
), keys AS (
    SELECT 'fetchEmails' AS queue, i.mailbox_id || ':' || g AS key
    FROM news.imports i
    JOIN news.mailboxes b ON b.id = i.mailbox_id, generate_series(i.first_generation, b.generation) AS g
    WHERE i.id = $1
    UNION ALL SELECT 'processMails', id::text FROM newsletters
    UNION ALL SELECT 'indexNews', id::text FROM newsletters
    UNION ALL
    SELECT 'sendNotifications', 'delivery:' || d.id FROM newsletters n JOIN news.deliveries d ON d.newsletter_id = n.id
    UNION ALL
    SELECT 'sendNotifications', 'notice:' || a.id FROM newsletters n JOIN news.admin_notices a ON a.newsletter_id = n.id
), jobs AS (
    SELECT j.id, j.state FROM keys k JOIN engine.jobs j USING (queue, key)
)
SELECT (
           SELECT count(*) FROM jobs JOIN engine.job_attempts t ON t.job_id = jobs.id
           WHERE t.outcome IN ('failed', 'timed_out')
       ) AS failed,
       (SELECT count(*) FROM jobs WHERE state = 'dead') AS dead
