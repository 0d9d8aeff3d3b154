-- Makes schedules known that have no row yet. Guard: ON CONFLICT DO NOTHING; what is there is changed by whoever leads it.
-- Arrays, one element a schedule: $1 name, $2 cron, $3 time zone, $4 queue, $5 kind, $6 missed, $7 its first instant.
INSERT INTO engine.schedules (name, cron, time_zone, queue, kind, missed, next_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
    AS t (name, cron, time_zone, queue, kind, missed, next_at)
ORDER BY name
ON CONFLICT (name) DO NOTHING
