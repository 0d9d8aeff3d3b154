-- Purpose: keep a rule of an owner, for one mailbox or (null) for all.
-- Guard: checked by `make_rule` before. Returns: id.
INSERT INTO news.rules (owner_id, mailbox_id, channel, target, matches)
VALUES ($1, $2, $3, $4, $5)
RETURNING id
