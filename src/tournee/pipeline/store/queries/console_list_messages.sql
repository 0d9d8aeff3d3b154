-- Messages of any class, the latest first, for the console's list of what arrived.
-- Guard: reads only; never touches the raw mail. $1 class or NULL, $2 text in subject, sender or file name or NULL,
-- $3 only ids below or NULL, $4 how many.
SELECT
    m.id, m.mailbox_id, b.name AS mailbox, m.name, m.subject, m.from_name, m.from_address, m.received_at, m.sent_at,
    m.class AS message_class, m.score, m.size, m.parse_notes
FROM news.messages m
JOIN news.mailboxes b ON b.id = m.mailbox_id
WHERE ($1::text IS NULL OR m.class = $1)
  AND ($2::text IS NULL
       OR strpos(lower(m.subject || ' ' || m.from_name || ' ' || m.from_address || ' ' || m.name), lower($2)) > 0)
  AND ($3::bigint IS NULL OR m.id < $3)
ORDER BY m.id DESC
LIMIT $4
