-- Purpose: plan alerts.
-- Guard: one per owner, newsletter and channel, so that indexing twice tells once. Returns: id, newsletter_id of new ones.
INSERT INTO news.deliveries (owner_id, newsletter_id, channel, target, why)
SELECT d.owner_id, d.newsletter_id, d.channel, d.target, d.why::jsonb
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY
     AS d (owner_id, newsletter_id, channel, target, why, ord)
ORDER BY d.ord
ON CONFLICT (owner_id, newsletter_id, channel) DO NOTHING
RETURNING id, newsletter_id
