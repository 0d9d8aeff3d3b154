-- Completion, in the transaction of the effects. Guard: state = 'running' and our lease.
-- $1 ids, $2 leases. Returns the ids that were completed.
WITH locked AS (
    SELECT j.id
    FROM unnest($1::bigint[], $2::int[]) AS t (id, lease)
    JOIN engine.jobs j ON j.id = t.id AND j.lease = t.lease
    WHERE j.state = 'running'
    ORDER BY j.id
    FOR UPDATE OF j
), done AS (
    UPDATE engine.jobs j
    SET state = 'completed', finished_at = clock_timestamp(), suspect = false, alone = false
    FROM locked WHERE j.id = locked.id
    RETURNING j.id, j.queue
), not_in_flight AS (
    DELETE FROM engine.inflight f USING done d WHERE f.queue = d.queue AND f.job_id = d.id
)
SELECT id FROM done
