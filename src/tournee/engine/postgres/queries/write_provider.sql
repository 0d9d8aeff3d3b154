-- The breaker after an outage or a success. $1 provider, $2 state, $3 failures, $4 openings, $5 successes, $6 reason,
-- $7 open for (null: not open).
UPDATE engine.providers
SET state = $2, failures = $3, openings = $4, successes = $5, reason = $6,
    opened_at = CASE WHEN $7::interval IS NULL THEN opened_at ELSE now() END,
    retry_at = CASE WHEN $7::interval IS NULL THEN NULL ELSE now() + $7::interval END,
    changed_at = CASE WHEN state <> $2 THEN now() ELSE changed_at END
WHERE name = $1
