-- Time passes for the breakers: an open one tries again so much earlier. $1 by how much.
UPDATE engine.providers SET retry_at = retry_at - $1::interval, changed_at = changed_at - $1::interval
