-- Purpose: open an import into a mailbox; its jobs begin with the mailbox's generation of this moment.
-- Guard: the mailbox exists. Returns: id.
INSERT INTO news.imports (mailbox_id, path, notifies, first_generation)
SELECT id, $2, $3, generation FROM news.mailboxes WHERE id = $1
RETURNING id
