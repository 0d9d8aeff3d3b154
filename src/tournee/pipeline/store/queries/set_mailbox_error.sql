-- Purpose: show why a mailbox is not synchronised.
-- Guard: none. Returns: name, or no row if the mailbox is gone.
UPDATE news.mailboxes SET last_error = $2 WHERE id = $1 RETURNING name
