-- Worker processes that beat within the last ten minutes, the living first.
-- Guard: reads only. `silent_seconds` is the age of the last heartbeat by PostgreSQL's clock.
SELECT
    w.id::text AS id, w.name, w.host, w.pid, w.queues, w.started_at, w.beat_at, w.stopping, w.reported_dead,
    extract(epoch FROM clock_timestamp() - w.beat_at)::float8 AS silent_seconds
FROM engine.workers w
WHERE w.beat_at > now() - interval '10 minutes'
ORDER BY w.reported_dead, w.beat_at < now() - interval '30 seconds', w.started_at, w.id
LIMIT 50
