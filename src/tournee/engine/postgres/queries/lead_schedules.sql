-- A lease on schedules, each of which one process at a time fires. $1 names, $2 holder, $3 for how long.
-- Guard: free, expired, ours, or for longer than anybody takes it (the clock was set back). Returns the names we have.
INSERT INTO engine.leaders AS l (role, holder, until)
SELECT 'schedule ' || name, $2, now() + $3::interval FROM unnest($1::text[]) AS t (name) ORDER BY name
ON CONFLICT (role) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE l.until < now() OR l.until > now() + 10 * $3::interval + interval '1 minute' OR l.holder = excluded.holder
RETURNING substr(role, 10) AS name
