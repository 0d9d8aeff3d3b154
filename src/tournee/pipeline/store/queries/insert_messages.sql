-- Purpose: store the messages of one page, in their order.
-- Guard: (mailbox, provider's id) is unique; one that is there already is left alone.
-- The raw bytes are kept for $18; $19 is the job that brought them. Returns: id, provider_id of the new ones.
INSERT INTO news.messages (
    mailbox_id, provider_id, import_id, name, size, raw, message_id_header, subject, from_name, from_address,
    sent_at, received_at, class, score, reasons, parse_notes, trace_context, raw_kept_until, fetch_job_id
)
SELECT $1, m.provider_id, m.import_id, m.name, m.size, m.raw, m.message_id_header, m.subject, m.from_name,
       m.from_address, m.sent_at, coalesce(m.received_at, now()), m.class, m.score, m.reasons::jsonb,
       m.parse_notes::jsonb, m.trace_context, now() + $18::interval, $19
FROM unnest(
    $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::bytea[], $7::text[], $8::text[], $9::text[], $10::text[],
    $11::timestamptz[], $12::timestamptz[], $13::text[], $14::real[], $15::text[], $16::text[], $17::text[]
) WITH ORDINALITY AS m (
    provider_id, import_id, name, size, raw, message_id_header, subject, from_name, from_address,
    sent_at, received_at, class, score, reasons, parse_notes, trace_context, ord
)
ORDER BY m.ord
ON CONFLICT (mailbox_id, provider_id) DO NOTHING
RETURNING id, provider_id
