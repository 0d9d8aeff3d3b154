-- Words of the vocabulary that look like $1, nearest first, at most $2 of them, that a document of the owner ($3; null:
-- any) holds: nobody learns what stands in another's mail. Needs pg_trgm.similarity_threshold set for the transaction.
-- Returns the asked word in the vocabulary's spelling, and the word found.
WITH asked AS (
    SELECT lower(unaccent($1::text)) AS word
), nearest AS (
    SELECT asked.word AS asked, known.word, similarity(known.word, asked.word) AS nearness
      FROM asked
      JOIN news.search_words known ON known.word % asked.word
     WHERE abs(length(known.word) - length(asked.word)) <= 2
     ORDER BY nearness DESC, known.word
     LIMIT $2
)
SELECT nearest.asked, nearest.word
  FROM nearest
 WHERE EXISTS (
           SELECT FROM news.search_documents d
            WHERE d.weighted @@ (to_tsquery('news.tournee_simple', nearest.word)
                  && CASE WHEN $3::bigint IS NULL THEN ''::tsquery ELSE format(''':o%s''', $3)::tsquery END))
 ORDER BY nearest.nearness DESC, nearest.word
