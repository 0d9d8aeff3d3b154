-- Purpose: store the readable part of messages that are newsletters. Whether its owner is told of it is decided by
-- mailbox and import. Guard: a message has at most one newsletter. Returns: nothing.
INSERT INTO news.newsletters (id, mailbox_id, owner_id, text, html, links, language, content_hash, recipients,
                              notifies)
SELECT n.id, b.id, b.owner_id, n.text, n.html, n.links::jsonb, n.language, n.content_hash,
       n.recipients::jsonb,       b.notifies AND coalesce(i.notifies, true)
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
     AS n (id, text, html, links, language, content_hash, recipients)
JOIN news.messages m ON m.id = n.id
JOIN news.mailboxes b ON b.id = m.mailbox_id
LEFT JOIN news.imports i ON i.id = m.import_id
ON CONFLICT (id) DO NOTHING
