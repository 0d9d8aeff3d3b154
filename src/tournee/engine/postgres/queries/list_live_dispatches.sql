-- Of these (id, dispatch), those that a queued or running row accounts for; looked up after the snapshot.
-- $1 ids, $2 dispatches. Returns id, dispatch, state.
SELECT j.id, j.dispatch, j.state
FROM unnest($1::bigint[], $2::int[]) AS t (id, dispatch)
JOIN engine.jobs j ON j.id = t.id AND j.dispatch = t.dispatch
WHERE j.state IN ('queued', 'running')
