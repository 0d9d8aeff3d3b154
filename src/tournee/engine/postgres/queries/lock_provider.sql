-- One breaker, its row locked, before an outage or a success is counted. $1 provider.
SELECT state, failures, openings, successes FROM engine.providers WHERE name = $1 FOR UPDATE
