-- Remembers a background service's cursor. $1 name, $2 value.
INSERT INTO engine.maintenance (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value
