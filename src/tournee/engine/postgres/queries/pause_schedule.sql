-- Pause or resume a schedule, under the row's lock. $1 name, $2 paused, $3 next instant.
UPDATE engine.schedules SET paused = $2, next_at = $3 WHERE name = $1
