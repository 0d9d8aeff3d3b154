-- How soon newsletters become searchable, and how long ago the stalest mailbox was synchronised. Guard: reads only, at
-- most the latest thousand of the last five minutes, by the index on indexed_at. One row; nulls where there is nothing.
SELECT
    percentile_cont(0.5) WITHIN GROUP (ORDER BY latest.seconds) AS median_seconds,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY latest.seconds) AS p95_seconds,
    (SELECT extract(epoch FROM now() - min(coalesce(m.last_synced_at, m.created_at)))::float8
     FROM news.mailboxes m WHERE m.connected) AS stalest_seconds
FROM (
    SELECT extract(epoch FROM n.indexed_at - n.created_at)::float8 AS seconds
    FROM news.newsletters n
    WHERE n.indexed_at > now() - interval '5 minutes'
    ORDER BY n.indexed_at DESC
    LIMIT 1000
) latest
