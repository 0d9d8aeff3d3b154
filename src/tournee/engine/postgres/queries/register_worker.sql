-- A process announces itself before it claims anything. $1 id, $2 name, $3 host, $4 pid, $5 queues.
INSERT INTO engine.workers (id, name, host, pid, queues) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (id) DO UPDATE SET queues = excluded.queues, beat = workers.beat + 1, beat_at = clock_timestamp()
