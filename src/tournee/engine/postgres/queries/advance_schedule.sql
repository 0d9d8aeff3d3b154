-- After a firing, in its transaction. $1 name, $2 next instant, $3 the latest instant that made a job.
UPDATE engine.schedules SET next_at = $2, last_fired_at = $3, last_error = NULL WHERE name = $1
