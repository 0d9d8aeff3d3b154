-- The breakers. Returns one row a provider.
SELECT name, state, failures, openings, successes, reason, opened_at, retry_at, changed_at FROM engine.providers ORDER BY name
