-- Lets an open breaker's first probes through once its time has come. $1 provider. Guard: open and due.
-- Returns the queues that it guards if it moved.
WITH moved AS (
    UPDATE engine.providers SET state = 'half-open', successes = 0, changed_at = now()
    WHERE name = $1 AND state = 'open' AND retry_at <= now()
    RETURNING name
)
SELECT q.name FROM moved JOIN engine.queues q ON q.provider = moved.name ORDER BY q.name
