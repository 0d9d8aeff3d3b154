-- Removes the rows of dead or stopped processes. $1 worker ids.
DELETE FROM engine.workers WHERE id = ANY ($1::uuid[])
