-- Purpose: write down a fault that the administrators are told of, as the next one of its incident. An incident is over
-- when $6 passed without a fault; a mail announces its first fault, its 10th, its 100th…, and the next one after $7.
-- Guard: one per fault key; the caller holds the incident's lock. Returns: id, announced; or no row if it was written
-- down before.
WITH last AS (
    SELECT ordinal, began_at FROM news.admin_notices
    WHERE incident = $5 AND created_at > now() - $6::interval
    ORDER BY id DESC
    LIMIT 1
), next AS (
    SELECT coalesce(max(ordinal), 0) + 1 AS ordinal, coalesce(max(began_at), now()) AS began_at FROM last
)
INSERT INTO news.admin_notices (fault_key, newsletter_id, subject, body, incident, ordinal, began_at, announced)
SELECT $1, $2, $3, $4, $5, next.ordinal, next.began_at,
       next.ordinal IN (1, 10, 100, 1000, 10000, 100000)
       OR NOT EXISTS (
           SELECT FROM news.admin_notices WHERE incident = $5 AND announced AND created_at > now() - $7::interval
       )
FROM next
ON CONFLICT (fault_key) DO NOTHING
RETURNING id, announced
