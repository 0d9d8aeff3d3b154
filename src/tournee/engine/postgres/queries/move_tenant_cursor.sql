-- Remembers where the next fill's round of tenants begins. $1 queue, $2 tenant.
UPDATE engine.queues SET tenant_cursor = $2 WHERE name = $1 AND tenant_cursor <> $2
