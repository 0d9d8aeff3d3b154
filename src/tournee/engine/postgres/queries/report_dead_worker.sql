-- A supervisor saw its worker die: its jobs may be rescued at once. $1 worker ids, or $2 process ids of host $3.
-- The dead process may have led the rescue, so that lead is free again: whoever looks next rescues. Returns the ids.
WITH told AS (
    UPDATE engine.workers SET reported_dead = true
    WHERE id = ANY ($1::uuid[]) OR (pid = ANY ($2::int[]) AND host = $3)
    RETURNING id
), freed AS (
    DELETE FROM engine.leaders WHERE role = 'rescuer' AND EXISTS (SELECT FROM told)
)
SELECT id FROM told
