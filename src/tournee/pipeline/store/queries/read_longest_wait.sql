-- For how long the oldest newsletter has waited that is stored and neither searchable nor given up. Guard: reads only,
-- one entry of the index of those that wait. One row; null where none waits.
SELECT extract(epoch FROM now() - min(created_at))::float8 AS seconds
FROM news.newsletters
WHERE indexed_at IS NULL AND invalid_reason IS NULL AND index_error IS NULL
