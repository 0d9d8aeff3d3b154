-- How many messages of each class and newsletters of each state there are, and what analyses cost so far.
-- Guard: reads only. Counts whole tables, so it is called every few seconds at most, for all who look. One row.
SELECT
    (SELECT coalesce(jsonb_object_agg(c.class, c.n), '{}') FROM
        (SELECT class, count(*) AS n FROM news.messages GROUP BY class) c) AS classes,
    (SELECT coalesce(jsonb_object_agg(s.state, s.n), '{}') FROM
        (SELECT state, count(*) AS n FROM news.newsletters GROUP BY state) s) AS states,
    (SELECT count(*) FROM news.newsletters WHERE cache_hit) AS cache_hits,
    (SELECT count(*) FROM news.deliveries WHERE state = 'sent') AS delivered,
    a.analyses, a.tokens_in, a.tokens_out, a.cost_microcents
FROM (
    SELECT
        count(*) AS analyses, coalesce(sum(tokens_in), 0)::bigint AS tokens_in,
        coalesce(sum(tokens_out), 0)::bigint AS tokens_out, coalesce(sum(cost_microcents), 0)::bigint AS cost_microcents
    FROM news.analyses
) a
