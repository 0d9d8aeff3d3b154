-- Rows in flight, counted under the fill lock, so that two relays cannot both fill the same room.
-- $1 queue, $2 whether those of its provider's other queues count too. Returns how many.
SELECT count(*) FROM engine.inflight
WHERE queue IN (
    SELECT $1
    UNION
    SELECT other.name FROM engine.queues mine JOIN engine.queues other ON other.provider = mine.provider
    WHERE mine.name = $1 AND $2
)
