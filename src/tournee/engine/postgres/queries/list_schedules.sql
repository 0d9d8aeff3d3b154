-- All schedules, also those that no process declares any more. Returns one row a schedule.
SELECT s.name, s.cron, s.time_zone, s.queue, s.kind, s.missed, s.paused, s.next_at, s.last_fired_at, s.last_error,
       l.role IS NOT NULL AS served, s.next_at <= now() AS due
FROM engine.schedules s
LEFT JOIN engine.leaders l ON l.role = 'schedule ' || s.name AND l.until > now()
ORDER BY s.name
