-- Purpose: make the next request to synchronise a job of its own.
-- Guard: the generation is still $2, so that a repeat raises nothing. Returns: nothing.
UPDATE news.mailboxes SET generation = generation + 1 WHERE id = $1 AND generation = $2
