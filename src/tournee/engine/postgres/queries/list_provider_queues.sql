-- The queues that a provider's breaker guards. $1 provider.
SELECT name FROM engine.queues WHERE provider = $1 ORDER BY name
