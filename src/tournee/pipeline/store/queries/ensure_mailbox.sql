-- Purpose: have a mailbox of this name. One that exists keeps its owner, source and switches.
-- Guard: the name is unique. Returns: id, owner_id, source.
INSERT INTO news.mailboxes (name, owner_id, source, consents)
VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO UPDATE SET name = EXCLUDED.name
RETURNING id, owner_id, source
