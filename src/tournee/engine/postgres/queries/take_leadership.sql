-- A lease on a role that one process at a time plays. $1 role, $2 holder, $3 for how long.
-- Guard: free, expired, ours, or for longer than anybody takes it: then the clock was set back, and a holder that died
-- would keep the role for as long as that. Returns the holder if we have it.
INSERT INTO engine.leaders AS l (role, holder, until) VALUES ($1, $2, now() + $3::interval)
ON CONFLICT (role) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE l.until < now() OR l.until > now() + 10 * $3::interval + interval '1 minute' OR l.holder = excluded.holder
RETURNING holder
