-- Where this fill's round of tenants begins; read under the fill lock. $1 queue.
SELECT tenant_cursor FROM engine.queues WHERE name = $1
