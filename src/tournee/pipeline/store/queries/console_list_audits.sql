-- What operators did to one job, oldest first; at most the last 20 acts.
-- Guard: reads only. $1 job id. Looks through the last 2,000 acts, so that its cost stays the same for ever.
SELECT a.at, a.actor, a.action, a.reason
FROM (SELECT * FROM engine.audit_log ORDER BY id DESC LIMIT 2000) a
WHERE $1::bigint = ANY (a.job_ids)
ORDER BY a.id DESC
LIMIT 20
