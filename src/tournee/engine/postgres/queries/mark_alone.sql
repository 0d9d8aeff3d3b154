-- A suspect is about to run alone in its process: a crash from here on is charged to it.
-- Guard: state = 'running' and our lease. $1 id, $2 lease. Returns the id if it is still ours.
UPDATE engine.jobs SET alone = true WHERE id = $1 AND state = 'running' AND lease = $2 RETURNING id
