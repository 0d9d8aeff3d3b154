-- One schedule, its row locked, before it is fired, changed or paused. $1 name.
-- Returns the row, whether a process serves it, whether it is due, and PostgreSQL's clock.
SELECT s.name, s.cron, s.time_zone, s.queue, s.kind, s.missed, s.paused, s.next_at, s.last_fired_at, s.last_error,
       EXISTS (SELECT FROM engine.leaders l WHERE l.role = 'schedule ' || s.name AND l.until > now()) AS served,
       s.next_at <= clock_timestamp() AS due, clock_timestamp() AS clock
FROM engine.schedules s WHERE s.name = $1
FOR UPDATE OF s
