-- The finished part of every queue's status. Reads the whole ledger: the caller keeps the answer for a while. In order of
-- id, as the rows lie: grouped down the index on queue and key, it would jump to another page for each row.
SELECT queue, count(*) FILTER (WHERE state = 'completed') AS completed,
       count(*) FILTER (WHERE state = 'cancelled') AS cancelled
FROM (SELECT queue, state FROM engine.jobs ORDER BY id) j
GROUP BY queue
