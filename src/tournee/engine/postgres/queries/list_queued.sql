-- Candidates of the comparison: what Redis should hold, for longer than an add takes. $1 queue, $2 minimum age.
-- What lies further ahead than that was dispatched before the clock was set back. Returns id, dispatch.
SELECT j.id, j.dispatch FROM engine.inflight f JOIN engine.jobs j ON j.id = f.job_id
WHERE f.queue = $1 AND j.state = 'queued'
  AND (j.dispatched_at < now() - $2::interval OR j.dispatched_at > now() + $2::interval + interval '1 second')
