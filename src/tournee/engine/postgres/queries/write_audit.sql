-- The audit log: who did what to which jobs, and why. $1 actor, $2 action, $3 reason, $4 filter, $5 job ids.
INSERT INTO engine.audit_log (actor, action, reason, filter, job_ids) VALUES ($1, $2, $3, $4, $5)
