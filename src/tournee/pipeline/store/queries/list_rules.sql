-- Purpose: the rules of some owners, oldest first.
-- Guard: none, a read. Returns: owner_id, mailbox_id (null: all of the owner's), channel, target, matches.
SELECT owner_id, mailbox_id, channel, target, matches
FROM news.rules
WHERE owner_id = ANY ($1::bigint[])
ORDER BY id
