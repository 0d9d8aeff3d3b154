-- The providers with their breakers.
-- Guard: reads only.
SELECT p.name, p.state, p.failures, p.openings, p.reason, p.opened_at, p.retry_at, p.changed_at
FROM engine.providers p
ORDER BY p.state = 'closed', p.name
