-- Purpose: what index and rules need of newsletters. Guard: only analysed ones are indexed.
-- Returns: one row each, by id; those erased meanwhile are missing.
SELECT n.id, n.mailbox_id, n.owner_id, n.text, n.notifies, o.email AS owner_email,
       m.from_name, m.from_address, m.sent_at, m.import_id IS NOT NULL AS imported,
       a.title, a.summary, a.language, a.topics
FROM news.newsletters n
JOIN news.messages m ON m.id = n.id
JOIN news.analyses a ON a.id = n.analysis_id
JOIN news.owners o ON o.id = n.owner_id
WHERE n.id = ANY ($1::bigint[])
ORDER BY n.id
