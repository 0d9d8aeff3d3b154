-- Purpose: let the faults of one incident be written one after the other, so that each knows which one it is.
-- Guard: held until the transaction ends. Returns: nothing of use.
SELECT pg_advisory_xact_lock(hashtextextended('news.admin_notices:' || $1, 0))
