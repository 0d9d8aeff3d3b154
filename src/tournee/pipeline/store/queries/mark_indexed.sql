-- Purpose: say that newsletters are in the index. Guard: locked in the order of ids; only those with an analysis.
-- Returns: id of each that is there still.
UPDATE news.newsletters n
SET state = 'indexed', indexed_at = now(), index_error = NULL
FROM (
    SELECT id FROM news.newsletters
    WHERE id = ANY ($1::bigint[]) AND state IN ('analysed', 'indexed')
    ORDER BY id
    FOR NO KEY UPDATE
) AS held
WHERE n.id = held.id
RETURNING n.id
