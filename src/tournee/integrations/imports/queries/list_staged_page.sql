-- Purpose: the next staged mails of mailbox $1 after id $2: at most $3, of at most $4 bytes in all, at least one.
-- Guard: none, a read. Emptied ones are stored already and are passed over.
-- Returns: the mails by id; `more`: there are others behind this page.
WITH next AS (
    SELECT id, sum(size) OVER (ORDER BY id) AS upto, row_number() OVER (ORDER BY id) AS place
    FROM (
        SELECT id, size FROM news.staged_mails
        WHERE mailbox_id = $1 AND id > $2 AND octet_length(raw) > 0
        ORDER BY id
        LIMIT $3::int + 1
    ) AS candidates
), page AS (
    SELECT id FROM next WHERE place = 1 OR (place <= $3::int AND upto <= $4)
)
SELECT s.id, s.import_id, s.sha256, s.name, s.size, s.raw,
       (SELECT count(*) FROM next) > (SELECT count(*) FROM page) AS more
FROM page JOIN news.staged_mails s USING (id)
ORDER BY s.id
