-- What an owner ($5; null: everybody) finds for the clauses of a query: $1 texts, $2 the alternative each belongs to,
-- $3 whether it is excluded, $4 whether it may be the beginning of a word. A page of $6 from $7 on; $8 matches at most
-- are ranked, the freshest; $9 the options for the snippet, whose text is cut at $10 characters.
-- A document is matched in the language it was stemmed in; language and owner are words of the inverted index too
-- (`:c…`, `:o…`), so that one look intersects all. A word that is a stop word anywhere is not required beside others.
-- Returns the total on each row, and one row of nulls with the total when the page is empty.
WITH clauses AS (
    SELECT *
      FROM unnest($1::text[], $2::int[], $3::bool[], $4::bool[])
           WITH ORDINALITY AS given (words, alternative, excluded, open, place)
), forms AS (
    SELECT c.config,
           clauses.*,
           bool_or(numnode(phraseto_tsquery(c.dictionary, clauses.words)) = 0) OVER (PARTITION BY place) AS is_stop,
           phraseto_tsquery(c.dictionary, clauses.words)
               || phraseto_tsquery('news.tournee_simple', clauses.words)
               || CASE WHEN clauses.open THEN to_tsquery('news.tournee_simple', clauses.words || ':*') ELSE ''::tsquery END
               AS form
      FROM clauses CROSS JOIN news.search_configs c
), required AS (
    SELECT forms.*,
           excluded
           OR NOT is_stop
           OR bool_and(is_stop OR excluded) OVER (PARTITION BY config, alternative) AS is_required
      FROM forms
), alternatives AS (
    SELECT config,
           news.all_of(CASE WHEN excluded THEN !! form ELSE form END) FILTER (WHERE is_required) AS query,
           news.any_of(form) FILTER (WHERE NOT is_required) AS beside,
           news.any_of(form) FILTER (WHERE NOT excluded) AS wording
      FROM required
     GROUP BY config, alternative
), branches AS MATERIALIZED (
    SELECT config,
           news.any_of(query)
               && format(''':c%s''', config)::tsquery
               && CASE WHEN $5::bigint IS NULL THEN ''::tsquery ELSE format(''':o%s''', $5)::tsquery END AS looked_up,
           news.any_of(query) AS query,
           news.any_of(beside) AS beside,
           coalesce(news.any_of(wording), ''::tsquery) AS wording
      FROM alternatives
     GROUP BY config
), matches AS MATERIALIZED (
    -- One look into the inverted index a branch: a plain join would read and filter every document instead.
    SELECT found.newsletter_id, found.fresh_at, b.config
      FROM branches b
     CROSS JOIN LATERAL (
               SELECT d.newsletter_id, d.fresh_at
                 FROM news.search_documents d
                WHERE d.weighted @@ b.looked_up
                  AND d.config = b.config
                  AND ($5::bigint IS NULL OR d.owner_id = $5)
               OFFSET 0
           ) found
), freshest AS (
    SELECT * FROM matches ORDER BY fresh_at DESC, newsletter_id DESC LIMIT $8
), page AS (
    SELECT d.newsletter_id, d.fresh_at, m.config,
           (ts_rank_cd('{0.05, 0.2, 0.5, 1.0}', d.weighted, b.query, 33)
            + 0.1 * coalesce(ts_rank_cd('{0.05, 0.2, 0.5, 1.0}', d.weighted, b.beside, 33), 0))
           * (1 + 0.1 / (1 + extract(epoch FROM now() - d.fresh_at) / 2592000))::float8 AS rank
      FROM freshest m
      JOIN branches b ON b.config = m.config
      JOIN news.search_documents d ON d.newsletter_id = m.newsletter_id
     ORDER BY rank DESC, d.fresh_at DESC, d.newsletter_id DESC
     LIMIT $6 OFFSET $7
), shown AS (
    SELECT page.newsletter_id, d.title, d.sender, d.language, d.sent_at, page.rank, page.fresh_at,
           ts_headline(
               c.dictionary,
               CASE WHEN to_tsvector(c.dictionary, d.summary) @@ b.wording THEN d.summary ELSE left(d.body, $10) END,
               b.wording,
               $9
           ) AS snippet,
           left(d.summary, 400) AS summary
      FROM page
      JOIN branches b ON b.config = page.config
      JOIN news.search_configs c ON c.config = page.config
      JOIN news.search_documents d ON d.newsletter_id = page.newsletter_id
)
SELECT counted.total, shown.*
  FROM (SELECT count(*) AS total FROM matches) counted LEFT JOIN shown ON true
 ORDER BY shown.rank DESC, shown.fresh_at DESC, shown.newsletter_id DESC
