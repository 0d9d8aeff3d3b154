-- Rescue: running rows of a dead worker go back to pending and are suspects; one that crashed while alone is charged.
-- Guard: state = 'running' and the lease that was seen. $1 ids, $2 leases, $3 whether its process died.
-- What a dead process left goes to the front: it has waited for its rescue. Returns the ids that moved.
WITH moved AS (
    UPDATE engine.jobs j
    SET state = 'pending', suspect = j.suspect OR t.crashed, crashes = j.crashes + (t.crashed AND j.alone)::int,
        alone = false
    FROM unnest($1::bigint[], $2::int[], $3::boolean[]) AS t (id, lease, crashed)
    WHERE j.id = t.id AND j.lease = t.lease AND j.state = 'running'
    RETURNING j.id, j.queue, j.tenant, j.rank, j.run_at, j.priority < 0 OR t.crashed AS urgent
), not_in_flight AS (
    DELETE FROM engine.inflight f USING moved m WHERE f.queue = m.queue AND f.job_id = m.id
), made_ready AS (
    INSERT INTO engine.ready (job_id, queue, tenant, rank, run_at, urgent, due)
    SELECT id, queue, tenant, rank, run_at, urgent, run_at <= now() FROM moved
)
SELECT id FROM moved
