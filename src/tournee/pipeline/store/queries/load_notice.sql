-- Purpose: what a notice says, and how often its incident has happened by now.
-- Guard: none, a read. Returns: one row, or none.
SELECT n.id, n.fault_key, n.subject, n.body, n.sent_at IS NOT NULL AS sent, n.began_at,
       (SELECT max(o.ordinal) FROM news.admin_notices o WHERE o.incident = n.incident AND o.began_at = n.began_at) AS faults
FROM news.admin_notices n
WHERE n.id = $1
