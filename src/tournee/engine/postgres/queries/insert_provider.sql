-- A provider that no queue declared, for instance one of several channels. $1 name.
INSERT INTO engine.providers (name) VALUES ($1) ON CONFLICT (name) DO NOTHING
