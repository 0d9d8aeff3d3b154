-- Take documents out of the index ($1: newsletter ids). Locks in the order of the id; unknown ids change nothing.
DELETE FROM news.search_documents
 WHERE newsletter_id IN (
           SELECT newsletter_id
             FROM news.search_documents
            WHERE newsletter_id = ANY ($1::bigint[])
            ORDER BY newsletter_id
              FOR UPDATE)
