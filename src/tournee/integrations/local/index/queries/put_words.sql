-- Add words to the vocabulary ($1: normalised words), up to about $2 in all by the planner's estimate.
-- In the order of the words, so that two writers can't wait for each other. Changes nothing for a known word. The conflict
-- is what finds it: an anti-join was planned for an empty vocabulary and then compared each word with each for seconds.
INSERT INTO news.search_words (word)
SELECT DISTINCT unaccent(given.word)
  FROM unnest($1::text[]) AS given (word)
 WHERE (SELECT reltuples < $2 FROM pg_class WHERE oid = 'news.search_words'::regclass)
 ORDER BY 1
    ON CONFLICT (word) DO NOTHING
