-- Purpose: all that an alert says.
-- Guard: none, a read. Returns: one row, or none if the newsletter was erased.
SELECT d.id, d.channel, d.target, d.state, d.why, o.language, b.name AS mailbox,
       m.from_name, m.from_address, a.title, a.summary, a.summary_language, a.topics, a.key_links, a.reading_minutes,
       n.links
FROM news.deliveries d
JOIN news.owners o ON o.id = d.owner_id
JOIN news.newsletters n ON n.id = d.newsletter_id
JOIN news.mailboxes b ON b.id = n.mailbox_id
JOIN news.messages m ON m.id = n.id
JOIN news.analyses a ON a.id = n.analysis_id
WHERE d.id = $1
