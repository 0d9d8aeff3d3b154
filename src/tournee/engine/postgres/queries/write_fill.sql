-- Remembers where the next fill's round of tenants begins, and what is owed for places at the front. $1 queue,
-- $2 tenant (null: as before), $3 places owed. Returns nothing.
UPDATE engine.queues SET tenant_cursor = coalesce($2, tenant_cursor), front_debt = $3
WHERE name = $1 AND (tenant_cursor, front_debt) IS DISTINCT FROM (coalesce($2, tenant_cursor), $3)
