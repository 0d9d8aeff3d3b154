-- Index documents: $1 … $9 are the columns in parallel arrays, $10 … $14 the normalised texts that are searched.
-- Replaces by newsletter_id; writes nothing where nothing changed. Rows are locked in the order of their id.
-- Any refused document fails the statement: the caller bisects.
INSERT INTO news.search_documents AS d
       (newsletter_id, owner_id, language, config, title, summary, sender, topics, body, sent_at, fresh_at, weighted)
SELECT given.newsletter_id,
       given.owner_id,
       given.language,
       c.config,
       given.title,
       given.summary,
       given.sender,
       string_to_array(given.topics, E'\n'),
       given.body,
       given.sent_at,
       least(given.sent_at, now()),
       setweight(to_tsvector(c.dictionary, given.title_words), 'A')
           || setweight(to_tsvector(c.dictionary, given.summary_words), 'B')
           || setweight(to_tsvector(c.dictionary, given.topic_words), 'B')
           || setweight(to_tsvector(c.dictionary, given.sender_words), 'B')
           || setweight(to_tsvector(c.dictionary, given.body_words), 'C')
           || strip(to_tsvector('news.tournee_simple', concat_ws(
                  ' ', given.title_words, given.summary_words, given.topic_words, given.sender_words, given.body_words)))
           || array_to_tsvector(ARRAY[':c' || c.config, ':o' || given.owner_id])
  FROM unnest(
           $1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
           $9::timestamptz[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[]
       ) AS given (newsletter_id, owner_id, language, title, summary, sender, topics, body,
                   sent_at, title_words, summary_words, topic_words, sender_words, body_words)
  JOIN news.search_configs c
    ON c.config = CASE WHEN given.language IN (SELECT config FROM news.search_configs) THEN given.language ELSE 'simple' END
 ORDER BY given.newsletter_id
    ON CONFLICT (newsletter_id) DO UPDATE
   SET owner_id = excluded.owner_id,
       language = excluded.language,
       config   = excluded.config,
       title    = excluded.title,
       summary  = excluded.summary,
       sender   = excluded.sender,
       topics   = excluded.topics,
       body     = excluded.body,
       sent_at  = excluded.sent_at,
       fresh_at = least(d.fresh_at, excluded.fresh_at),
       weighted = excluded.weighted
 WHERE (d.owner_id, d.language, d.title, d.summary, d.sender, d.topics, d.body, d.sent_at, d.weighted)
       IS DISTINCT FROM
       (excluded.owner_id, excluded.language, excluded.title, excluded.summary, excluded.sender, excluded.topics,
        excluded.body, excluded.sent_at, excluded.weighted)
