-- The state of jobs by (queue, key), for an enqueue that found them there. $1 queues, $2 keys.
-- Returns queue, key, id, state.
SELECT j.queue, j.key, j.id, j.state
FROM unnest($1::text[], $2::text[]) AS t (queue, key)
JOIN engine.jobs j ON j.queue = t.queue AND j.key = t.key
