-- Locks rows that we hold, before a handler's effects. Guard: state = 'running' and our lease.
-- $1 ids, $2 leases. Returns the ids that are still ours.
SELECT j.id
FROM unnest($1::bigint[], $2::int[]) AS t (id, lease)
JOIN engine.jobs j ON j.id = t.id AND j.lease = t.lease
WHERE j.state = 'running'
ORDER BY j.id
FOR UPDATE OF j
