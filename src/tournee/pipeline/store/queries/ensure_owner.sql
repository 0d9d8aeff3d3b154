-- Purpose: have an owner of this name; e-mail and language are taken from the settings at each start.
-- Guard: the name is unique. Returns: id.
INSERT INTO news.owners (name, email, language)
VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET email = EXCLUDED.email, language = EXCLUDED.language
RETURNING id
