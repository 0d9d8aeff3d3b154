-- Purpose: write down a fault that the administrators are told of.
-- Guard: one per fault key. Returns: id, or no row if it was written down before.
INSERT INTO news.admin_notices (fault_key, newsletter_id, subject, body)
VALUES ($1, $2, $3, $4)
ON CONFLICT (fault_key) DO NOTHING
RETURNING id
