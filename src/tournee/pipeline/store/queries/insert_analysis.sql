-- Purpose: store an analysis.
-- Guard: one per cache key. Returns: id, or no row if there is one already.
INSERT INTO news.analyses (
    cache_key, analyser, model, title, summary, summary_language, language, topics, entities, key_links,
    reading_minutes, kind, tokens_in, tokens_out, cost_microcents, seconds
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT (cache_key) DO NOTHING
RETURNING id
