-- All processes that announced themselves, with their beats. Returns one row a worker.
SELECT id, name, host, pid, queues, beat, beat_at, started_at, stopping, reported_dead FROM engine.workers ORDER BY id
