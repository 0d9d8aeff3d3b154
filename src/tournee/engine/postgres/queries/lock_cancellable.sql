-- Locks the rows that may be cancelled, in a statement of its own: the next one must see what whoever held a lock wrote
-- beside the row. Guard: state in (pending, queued, running). $1 ids. Returns the ids.
SELECT id FROM engine.jobs
WHERE id = ANY ($1::bigint[]) AND state IN ('pending', 'queued', 'running')
ORDER BY id FOR UPDATE
