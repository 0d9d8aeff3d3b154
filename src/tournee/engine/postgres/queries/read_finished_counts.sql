-- The finished part of every queue's status. Reads the whole ledger: the caller keeps the answer for a while.
SELECT queue, count(*) FILTER (WHERE state = 'completed') AS completed,
       count(*) FILTER (WHERE state = 'cancelled') AS cancelled
FROM engine.jobs GROUP BY queue
