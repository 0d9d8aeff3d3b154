-- What analyses have cost, in all and since midnight UTC. Guard: reads only; counts the whole table. One row.
SELECT
    count(*) AS analyses,
    count(*) FILTER (WHERE today) AS analyses_today,
    coalesce(sum(tokens_in), 0)::bigint AS tokens_in,
    coalesce(sum(tokens_out), 0)::bigint AS tokens_out,
    coalesce(sum(cost_microcents), 0)::bigint AS cost_microcents,
    coalesce(sum(cost_microcents) FILTER (WHERE today), 0)::bigint AS cost_microcents_today
FROM (
    SELECT tokens_in, tokens_out, cost_microcents, created_at >= date_trunc('day', now(), 'UTC') AS today
    FROM news.analyses
) a
