-- Purpose: what a notice says.
-- Guard: none, a read. Returns: one row, or none.
SELECT id, fault_key, subject, body, sent_at IS NOT NULL AS sent FROM news.admin_notices WHERE id = $1
