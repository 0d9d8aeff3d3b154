-- Purpose: how much of an import is staged: whether a batch whose COMMIT was not answered is in.
-- Guard: none, a read; the caller holds the mailbox's row lock. Returns: files.
SELECT files FROM news.imports WHERE id = $1
