-- Purpose: progress and summary of one import, in one look. O(import): each table is entered by an index.
-- Guard: none, a read of one snapshot. Returns: one row, or none if there is no such import.
WITH import AS (
    SELECT i.id, i.not_mail, i.duplicates, i.first_generation, b.id AS mailbox_id, b.generation
    FROM news.imports i JOIN news.mailboxes b ON b.id = i.mailbox_id
    WHERE i.id = $1
), staged AS (
    SELECT count(*) AS waiting FROM news.staged_mails WHERE import_id = $1 AND octet_length(raw) > 0
), read AS (
    SELECT count(*) FILTER (WHERE m.class = 'newsletter') AS newsletters,
           count(*) FILTER (WHERE m.class = 'confirmation') AS confirmations,
           count(*) FILTER (WHERE m.class = 'other') AS others,
           count(*) FILTER (WHERE m.class = 'unparsable') AS unparsable,
           count(n.id) AS newsletter_rows,
           count(*) FILTER (WHERE n.analysis_id IS NOT NULL AND NOT n.cache_hit) AS analysed,
           count(*) FILTER (WHERE n.analysis_id IS NOT NULL AND n.cache_hit) AS cache_hits,
           count(*) FILTER (WHERE n.state = 'invalid') AS invalid,
           count(*) FILTER (WHERE n.state = 'indexed') AS indexed,
           count(*) FILTER (WHERE n.state <> 'indexed' AND n.index_error IS NOT NULL) AS index_failed
    FROM news.messages m LEFT JOIN news.newsletters n ON n.id = m.id
    WHERE m.import_id = $1
), told AS (
    SELECT count(*) FILTER (WHERE d.state = 'planned') AS deliveries_planned,
           count(*) FILTER (WHERE d.state = 'sent') AS notified
    FROM news.messages m JOIN news.deliveries d ON d.newsletter_id = m.id
    WHERE m.import_id = $1 AND m.class = 'newsletter'
), noticed AS (
    SELECT count(*) AS notices_waiting
    FROM news.messages m JOIN news.admin_notices a ON a.newsletter_id = m.id
    WHERE m.import_id = $1 AND m.class = 'newsletter' AND a.announced AND a.sent_at IS NULL AND a.error IS NULL
)
SELECT staged.*, read.*, told.*, noticed.*, import.not_mail, import.duplicates,
       EXISTS (
           SELECT FROM generate_series(import.first_generation, import.generation) AS g
           JOIN engine.jobs j ON j.queue = 'fetchEmails' AND j.key = import.mailbox_id || ':' || g
           WHERE j.state NOT IN ('completed', 'dead', 'cancelled')
       ) AS syncing
FROM import, staged, read, told, noticed
