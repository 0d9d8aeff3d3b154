-- Tells whether the dead letters changed since the last look, from the narrow table alone: a full list brings 2,000 stacks.
-- Returns how many there are, and a text that differs when a letter came or went.
SELECT count(*) AS letters, concat_ws(' ', count(*), max(died_at), sum(hashint8(job_id)::bigint)) AS fingerprint
FROM engine.dead
