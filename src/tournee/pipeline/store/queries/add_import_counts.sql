-- Purpose: count what a batch of an import held.
-- Guard: runs in the transaction that stages or stores the batch. Returns: nothing.
UPDATE news.imports
SET files = files + $2, not_mail = not_mail + $3, duplicates = duplicates + $4
WHERE id = $1
