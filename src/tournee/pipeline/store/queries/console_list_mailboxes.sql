-- The mailboxes with their freshness.
-- Guard: reads only.
SELECT
    b.id, b.name, b.source, b.connected, b.consents, b.notifies, b.generation, b.last_push_at, b.last_synced_at,
    b.last_error, o.name AS owner,
    (SELECT count(*) FROM news.messages m WHERE m.mailbox_id = b.id) AS messages
FROM news.mailboxes b
JOIN news.owners o ON o.id = b.owner_id
ORDER BY b.name
LIMIT 200
