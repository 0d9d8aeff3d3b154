-- Purpose: keep whether the owner agreed that the mailbox's content goes to an outside analyser.
-- Guard: none. Returns: nothing.
UPDATE news.mailboxes SET consents = $2 WHERE id = $1
