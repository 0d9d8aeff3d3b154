-- What is stored and neither searchable nor given up, the oldest first. The state is left out of the condition, so that
-- the analysis of a newsletter touches no index.
CREATE INDEX newsletters_by_waiting ON news.newsletters (created_at)
    WHERE indexed_at IS NULL AND invalid_reason IS NULL AND index_error IS NULL;
