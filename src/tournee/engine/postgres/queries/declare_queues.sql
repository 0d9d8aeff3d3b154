-- Makes sure that each queue and its provider has a row; changes what is declared of a known one.
-- $1 names, $2 priorities, $3 providers (null: none), $4 attempts in all (null: as the payload says). Returns nothing.
WITH input AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::smallint[])
        AS t (name, priority, provider, max_attempts)
), provider AS (
    INSERT INTO engine.providers (name)
    SELECT DISTINCT provider FROM input WHERE provider IS NOT NULL ORDER BY provider
    ON CONFLICT (name) DO NOTHING
)
INSERT INTO engine.queues (name, priority, provider, max_attempts)
SELECT name, priority, provider, max_attempts FROM input ORDER BY name
ON CONFLICT (name) DO UPDATE SET
    priority = excluded.priority, provider = excluded.provider, max_attempts = excluded.max_attempts
WHERE (queues.priority, queues.provider, queues.max_attempts)
    IS DISTINCT FROM (excluded.priority, excluded.provider, excluded.max_attempts)
