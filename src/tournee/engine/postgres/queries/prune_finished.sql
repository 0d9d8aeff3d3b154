-- Deletes finished rows older than the horizon, in a range of ids, oldest first. Walks by id, so no index on state is
-- needed; the ids go in as an array, because a join was planned as a scan of the whole ledger. $1 ids above, $2 how many
-- ids to look at, $3 horizon. Dead rows stay until an operator decides.
-- Returns the last id looked at, whether rows created within the horizon were reached, and how many were deleted.
WITH seen AS (
    SELECT id, state, created_at, finished_at FROM engine.jobs WHERE id > $1 ORDER BY id LIMIT $2
), pruned AS (
    DELETE FROM engine.jobs
    WHERE id = ANY (ARRAY(SELECT id FROM seen
                          WHERE state IN ('completed', 'cancelled') AND finished_at < now() - $3::interval))
    RETURNING 1
)
SELECT coalesce((SELECT max(id) FROM seen), $1) AS last_id,
       (SELECT count(*) < $2 OR max(created_at) > now() - $3::interval FROM seen) AS reached_end,
       (SELECT count(*) FROM pruned) AS deleted
