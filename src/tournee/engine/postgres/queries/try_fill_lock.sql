-- One relay at a time fills a queue: a transaction-level advisory lock. $1 queue. Returns whether we have it.
SELECT pg_try_advisory_xact_lock(1953396082, hashtext($1))
