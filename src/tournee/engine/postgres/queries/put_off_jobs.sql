-- Parked, snoozed or released: running rows go back to pending at now + delay, no attempt used.
-- Guard: state = 'running' and our lease. $1 ids, $2 leases, $3 delay, $4 outages to add, $5 snoozes to add,
-- $6 ageing interval. A delay of zero keeps run_at and rank. A suspect that ran to an outage or a snooze has not killed its
-- process: it is none any more; a released one may not have run at all. Returns the ids that moved.
WITH locked AS (
    SELECT j.id
    FROM unnest($1::bigint[], $2::int[]) AS t (id, lease)
    JOIN engine.jobs j ON j.id = t.id AND j.lease = t.lease
    WHERE j.state = 'running'
    ORDER BY j.id
    FOR UPDATE OF j
), moved AS (
    UPDATE engine.jobs j
    SET state = 'pending', outages = j.outages + $4, snoozes = j.snoozes + $5, alone = false,
        suspect = j.suspect AND $4 + $5 = 0,
        run_at = CASE WHEN $3::interval > interval '0' THEN clock_timestamp() + $3::interval ELSE j.run_at END,
        rank = CASE WHEN $3::interval > interval '0'
                    THEN clock_timestamp() + $3::interval + j.priority * $6::interval ELSE j.rank END
    FROM locked WHERE j.id = locked.id
    RETURNING j.id, j.queue, j.tenant, j.rank, j.run_at, j.priority
), not_in_flight AS (
    DELETE FROM engine.inflight f USING moved m WHERE f.queue = m.queue AND f.job_id = m.id
), made_ready AS (
    INSERT INTO engine.ready (job_id, queue, tenant, rank, run_at, urgent, due)
    SELECT id, queue, tenant, rank, run_at, priority < 0, run_at <= now() FROM moved
)
SELECT id FROM moved
