-- Makes sure that each queue and its provider has a row; changes priority and provider of a known one.
-- $1 names, $2 priorities, $3 providers (null: none). Returns nothing.
WITH input AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS t (name, priority, provider)
), provider AS (
    INSERT INTO engine.providers (name)
    SELECT DISTINCT provider FROM input WHERE provider IS NOT NULL ORDER BY provider
    ON CONFLICT (name) DO NOTHING
)
INSERT INTO engine.queues (name, priority, provider)
SELECT name, priority, provider FROM input ORDER BY name
ON CONFLICT (name) DO UPDATE SET priority = excluded.priority, provider = excluded.provider
WHERE (queues.priority, queues.provider) IS DISTINCT FROM (excluded.priority, excluded.provider)
