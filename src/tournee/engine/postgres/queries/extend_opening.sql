-- A straggler's outage while the breaker is open: nothing new, but the provider may have named a later time.
-- $1 provider, $2 what it asked for. Guard: state = 'open'.
UPDATE engine.providers SET retry_at = greatest(retry_at, now() + $2::interval) WHERE name = $1 AND state = 'open'
