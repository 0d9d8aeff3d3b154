-- Add words to the vocabulary ($1: normalised words), up to about $2 in all by the planner's estimate.
-- In the order of the words, so that two writers can't wait for each other. Changes nothing for a known word.
INSERT INTO news.search_words (word)
SELECT DISTINCT unaccent(given.word)
  FROM unnest($1::text[]) AS given (word)
 WHERE (SELECT reltuples < $2 FROM pg_class WHERE oid = 'news.search_words'::regclass)
   AND NOT EXISTS (SELECT FROM news.search_words known WHERE known.word = unaccent(given.word))
 ORDER BY 1
    ON CONFLICT (word) DO NOTHING
