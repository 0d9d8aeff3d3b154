-- A supervisor saw its worker die: its jobs may be rescued at once. $1 worker ids, or $2 process ids of host $3.
UPDATE engine.workers SET reported_dead = true
WHERE id = ANY ($1::uuid[]) OR (pid = ANY ($2::int[]) AND host = $3)
RETURNING id
