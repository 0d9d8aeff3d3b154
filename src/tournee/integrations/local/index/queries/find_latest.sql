-- The latest documents of an owner ($1; null: of all), a page of $2 from $3 on.
-- Returns the total on each row, and one row of nulls with the total when the page is empty.
WITH counted AS (
    SELECT count(*) AS total FROM news.search_documents WHERE $1::bigint IS NULL OR owner_id = $1
), page AS (
    SELECT newsletter_id, title, sender, language, sent_at, fresh_at, left(summary, 400) AS snippet, left(summary, 400) AS summary,
           0::float8 AS rank
      FROM news.search_documents
     WHERE $1::bigint IS NULL OR owner_id = $1
     ORDER BY fresh_at DESC, newsletter_id DESC
     LIMIT $2 OFFSET $3
)
SELECT counted.total, page.*
  FROM counted LEFT JOIN page ON true
 ORDER BY page.fresh_at DESC, page.newsletter_id DESC
