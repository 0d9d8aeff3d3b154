-- The row says what its leader declares, and its next instant is computed anew. Its pause stays. Under the row's lock.
-- $1 name, $2 cron, $3 time zone, $4 queue, $5 kind, $6 missed, $7 next instant.
UPDATE engine.schedules
SET cron = $2, time_zone = $3, queue = $4, kind = $5, missed = $6, next_at = $7, declared_at = now(), last_error = NULL
WHERE name = $1
