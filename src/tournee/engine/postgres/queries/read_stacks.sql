-- Stack traces of earlier attempts, for the board. $1 job ids. Returns job_id and stacks, oldest first, five at most.
SELECT a.job_id, array_agg(a.stack ORDER BY a.lease) AS stacks
FROM (SELECT job_id, lease, coalesce(nullif(stack, ''), error_class || ': ' || message) AS stack,
             row_number() OVER (PARTITION BY job_id ORDER BY lease DESC) AS age
      FROM engine.job_attempts WHERE job_id = ANY ($1::bigint[])) a
WHERE a.age <= 5
GROUP BY a.job_id
