-- A provider that a handler named and no queue declares: its breaker holds nothing back, so nothing would ever probe it.
-- Guard: not closed, its time has come, and no queue declares it. Returns the providers that were closed.
UPDATE engine.providers p
SET state = 'closed', failures = 0, openings = 0, successes = 0, retry_at = NULL, changed_at = now()
WHERE p.state <> 'closed' AND coalesce(p.retry_at, now()) <= now()
  AND NOT EXISTS (SELECT FROM engine.queues q WHERE q.provider = p.name)
RETURNING p.name
