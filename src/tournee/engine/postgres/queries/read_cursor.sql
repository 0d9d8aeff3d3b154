-- A background service's cursor. $1 name.
SELECT value FROM engine.maintenance WHERE name = $1
