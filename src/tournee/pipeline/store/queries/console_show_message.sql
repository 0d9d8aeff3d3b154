-- One message with its newsletter and analysis where there are any, for its page.
-- Guard: reads only; neither raw mail nor HTML. $1 message id. Returns one row or none; columns of the newsletter
-- and the analysis are NULL where there is none.
SELECT
    m.id, m.mailbox_id, b.name AS mailbox, b.source, o.name AS owner, m.name, m.provider_id, m.message_id_header,
    m.subject, m.from_name, m.from_address, m.sent_at, m.received_at, m.class AS message_class, m.score, m.size,
    m.reasons, m.parse_notes, m.trace_context, m.raw IS NOT NULL AS raw_kept, m.raw_kept_until, m.import_id,
    i.path AS import_path,
    n.state, n.cache_hit, n.invalid_reason, n.index_error, n.notifies, n.content_hash, n.created_at AS stored_at,
    n.analysed_at, n.indexed_at, coalesce(length(n.html), 0) > 0 AS has_html, left(n.text, 20000) AS text, n.analysis_id,
    a.analyser, a.model, a.title, a.summary, a.summary_language, a.language, a.topics, a.entities, a.key_links,
    a.reading_minutes, a.kind, n.links AS own_links, a.tokens_in, a.tokens_out, a.cost_microcents, a.seconds
FROM news.messages m
JOIN news.mailboxes b ON b.id = m.mailbox_id
JOIN news.owners o ON o.id = b.owner_id
LEFT JOIN news.imports i ON i.id = m.import_id
LEFT JOIN news.newsletters n ON n.id = m.id
LEFT JOIN news.analyses a ON a.id = n.analysis_id
WHERE m.id = $1
