-- Purpose: say that job $2 synchronises this mailbox for at most $3.
-- Guard: the caller holds the row's lock and saw that nobody else has it. Returns: nothing.
UPDATE news.mailboxes SET syncing_job = $2, syncing_until = clock_timestamp() + $3::interval WHERE id = $1
