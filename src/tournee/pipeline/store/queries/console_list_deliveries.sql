-- The deliveries of one newsletter, oldest first.
-- Guard: reads only. $1 newsletter id.
SELECT d.id, o.name AS owner, d.channel, d.target, d.state, d.error, d.planned_at, d.sent_at
FROM news.deliveries d
JOIN news.owners o ON o.id = d.owner_id
WHERE d.newsletter_id = $1
ORDER BY d.id
