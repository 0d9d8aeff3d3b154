-- A lease on a role that one process at a time plays. $1 role, $2 holder, $3 for how long.
-- Guard: free, expired or ours. Returns the holder if we have it.
INSERT INTO engine.leaders AS l (role, holder, until) VALUES ($1, $2, now() + $3::interval)
ON CONFLICT (role) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE l.until < now() OR l.holder = excluded.holder
RETURNING holder
