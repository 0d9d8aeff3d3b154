-- The live part of every queue's status, from the narrow tables.
SELECT q.name, q.priority, q.provider, q.paused, q.epoch, coalesce(p.state, 'closed') AS breaker,
       r.pending, r.scheduled, r.oldest, f.queued, f.running, d.dead
FROM engine.queues q
LEFT JOIN engine.providers p ON p.name = q.provider
CROSS JOIN LATERAL (SELECT count(*) AS pending, count(*) FILTER (WHERE NOT due) AS scheduled,
                           min(run_at) FILTER (WHERE due) AS oldest
                    FROM engine.ready WHERE queue = q.name) r
CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE j.state = 'queued') AS queued,
                           count(*) FILTER (WHERE j.state = 'running') AS running
                    FROM engine.inflight i JOIN engine.jobs j ON j.id = i.job_id WHERE i.queue = q.name) f
CROSS JOIN LATERAL (SELECT count(*) AS dead FROM engine.dead WHERE queue = q.name) d
ORDER BY q.created_at, q.name
