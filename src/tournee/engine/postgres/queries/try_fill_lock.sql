-- One relay at a time fills a queue: a transaction-level advisory lock. $1 queue, or what else is filled by one at a time.
-- Returns whether we have it.
SELECT pg_try_advisory_xact_lock(1953396082, hashtext($1))
