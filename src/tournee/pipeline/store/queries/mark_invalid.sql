-- Purpose: give a newsletter up, with the reason that its reader is shown.
-- Guard: it has no analysis yet. Returns: what a notice says of it, or no row.
UPDATE news.newsletters n
SET state = 'invalid', invalid_reason = $2
FROM news.messages m, news.mailboxes b
WHERE n.id = $1 AND n.state = 'received' AND m.id = n.id AND b.id = n.mailbox_id
RETURNING m.subject, m.from_name, m.from_address, b.name AS mailbox
