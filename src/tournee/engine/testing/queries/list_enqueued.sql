-- Jobs by state, oldest first, on whatever connection asks: also those that its open transaction has inserted.
-- $1 states, $2 at most.
SELECT id, queue, key, kind, version, payload, tenant, state::text AS state, run_at
FROM engine.jobs WHERE state::text = ANY ($1::text[]) ORDER BY id LIMIT $2
