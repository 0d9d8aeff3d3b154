-- Purpose: what an analyser needs of one newsletter, and whether its content may leave the house.
-- Guard: none, a read. Returns: one row, or none if it was erased.
SELECT n.id, n.mailbox_id, n.text, n.links, n.language, n.content_hash, b.consents,
       n.recipients || to_jsonb(o.email) AS recipients,
       m.message_id_header, m.subject, m.from_name, m.from_address, m.import_id IS NOT NULL AS imported
FROM news.newsletters n
JOIN news.messages m ON m.id = n.id
JOIN news.mailboxes b ON b.id = n.mailbox_id
JOIN news.owners o ON o.id = n.owner_id
WHERE n.id = $1
