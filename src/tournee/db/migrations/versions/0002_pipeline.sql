-- The newsletter reader's own data. Every effect of a handler lands here, in the transaction that completes its job.

CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS unaccent;

CREATE SCHEMA news;

CREATE TABLE news.owners (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text        NOT NULL UNIQUE,
    email      text        NOT NULL,
    language   text        NOT NULL DEFAULT 'en' CHECK (language IN ('en', 'fr')),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE news.mailboxes (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text        NOT NULL UNIQUE,
    owner_id       bigint      NOT NULL REFERENCES news.owners (id),
    source         text        NOT NULL,
    generation     bigint      NOT NULL DEFAULT 1,
    cursor         jsonb       NOT NULL DEFAULT '{}',
    syncing_job    bigint,
    syncing_until  timestamptz,
    notifies       boolean     NOT NULL DEFAULT true,
    consents       boolean     NOT NULL DEFAULT false,
    connected      boolean     NOT NULL DEFAULT true,
    last_push_at   timestamptz,
    last_synced_at timestamptz,
    last_error     text,
    created_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN news.mailboxes.source IS 'which mail source serves it: import, gmail, imap';
COMMENT ON COLUMN news.mailboxes.consents IS 'the owner agreed that content goes to an outside analyser';

CREATE TABLE news.imports (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mailbox_id  bigint      NOT NULL REFERENCES news.mailboxes (id),
    path        text        NOT NULL,
    notifies    boolean     NOT NULL DEFAULT true,
    first_generation bigint NOT NULL DEFAULT 1,
    files       int         NOT NULL DEFAULT 0,
    not_mail    int         NOT NULL DEFAULT 0,
    duplicates  int         NOT NULL DEFAULT 0,
    started_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
COMMENT ON COLUMN news.imports.first_generation IS
    'the mailbox''s generation when the import began: its fetchEmails jobs have keys from there on';
COMMENT ON COLUMN news.imports.files IS 'mails and other files seen; an mbox counts once per mail it holds';

-- What a local import hands to its mailbox, read by the `import` mail source through a cursor on id. Ids are taken
-- under a lock on the mailbox's row, so that they become visible in order and no cursor can pass an unseen one.
CREATE TABLE news.staged_mails (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mailbox_id bigint      NOT NULL REFERENCES news.mailboxes (id),
    import_id  bigint      NOT NULL REFERENCES news.imports (id),
    sha256     bytea       NOT NULL,
    name       text        NOT NULL,
    size       bigint      NOT NULL,
    raw        bytea       NOT NULL,
    staged_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (mailbox_id, sha256)
);
CREATE INDEX staged_by_mailbox ON news.staged_mails (mailbox_id, id);
CREATE INDEX staged_by_import ON news.staged_mails (import_id);
ALTER TABLE news.staged_mails ALTER COLUMN raw SET STORAGE EXTERNAL;
COMMENT ON COLUMN news.staged_mails.raw IS 'zlib-compressed; emptied once the message is stored';

CREATE TABLE news.messages (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mailbox_id        bigint      NOT NULL REFERENCES news.mailboxes (id),
    provider_id       text        NOT NULL,
    import_id         bigint REFERENCES news.imports (id),
    name              text        NOT NULL DEFAULT '',
    size              bigint      NOT NULL,
    raw               bytea,
    raw_kept_until    timestamptz NOT NULL DEFAULT now() + interval '90 days',
    message_id_header text,
    subject           text        NOT NULL DEFAULT '',
    from_name         text        NOT NULL DEFAULT '',
    from_address      text        NOT NULL DEFAULT '',
    sent_at           timestamptz,
    received_at       timestamptz NOT NULL DEFAULT now(),
    class             text        NOT NULL CHECK (class IN ('newsletter', 'confirmation', 'other', 'unparsable')),
    score             real        NOT NULL DEFAULT 0,
    reasons           jsonb       NOT NULL DEFAULT '[]',
    parse_notes       jsonb       NOT NULL DEFAULT '[]',
    trace_context     text,
    UNIQUE (mailbox_id, provider_id)
);
ALTER TABLE news.messages ALTER COLUMN raw SET STORAGE EXTERNAL;
CREATE INDEX messages_by_import ON news.messages (import_id) WHERE import_id IS NOT NULL;
CREATE INDEX messages_by_raw_kept ON news.messages (raw_kept_until) WHERE raw IS NOT NULL;
CREATE INDEX messages_by_received ON news.messages (received_at DESC, id DESC);
COMMENT ON COLUMN news.messages.provider_id IS 'the provider''s id; for an import the SHA-256 of the bytes, in hex';
COMMENT ON COLUMN news.messages.raw IS
    'zlib-compressed; a message over 50 MiB is cut there, `size` says how long it was; null once raw_kept_until is past';
COMMENT ON COLUMN news.messages.reasons IS '[{rule, weight, detail}]: why it was classed so';

CREATE TABLE news.analyses (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cache_key        text        NOT NULL UNIQUE,
    analyser         text        NOT NULL,
    model            text        NOT NULL,
    title            text        NOT NULL,
    summary          text        NOT NULL,
    summary_language text        NOT NULL,
    language         text        NOT NULL,
    topics           jsonb       NOT NULL DEFAULT '[]',
    entities         jsonb       NOT NULL DEFAULT '[]',
    key_links        jsonb       NOT NULL DEFAULT '[]',
    reading_minutes  int         NOT NULL DEFAULT 0,
    kind             text        NOT NULL DEFAULT 'newsletter',
    tokens_in        int         NOT NULL DEFAULT 0,
    tokens_out       int         NOT NULL DEFAULT 0,
    cost_microcents  bigint      NOT NULL DEFAULT 0,
    seconds          real        NOT NULL DEFAULT 0,
    created_at       timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE news.analyses IS 'shared by all readers of an issue: nothing in it is personal';
COMMENT ON COLUMN news.analyses.key_links IS
    '[{url, why, place}]: url without personal parts; place: which of the mail''s links that look so is meant';

-- Single flight: the job that computes an analysis holds its key; others with the same key put themselves off.
CREATE TABLE news.analysis_claims (
    cache_key text PRIMARY KEY,
    job_id    bigint      NOT NULL,
    until     timestamptz NOT NULL
);

CREATE TABLE news.newsletters (
    id             bigint PRIMARY KEY REFERENCES news.messages (id) ON DELETE CASCADE,
    mailbox_id     bigint      NOT NULL REFERENCES news.mailboxes (id),
    owner_id       bigint      NOT NULL REFERENCES news.owners (id),
    state          text        NOT NULL DEFAULT 'received'
                   CHECK (state IN ('received', 'analysed', 'indexed', 'invalid')),
    text           text        NOT NULL DEFAULT '',
    html           text        NOT NULL DEFAULT '',
    links          jsonb       NOT NULL DEFAULT '[]',
    language       text        NOT NULL DEFAULT 'und',
    content_hash   text        NOT NULL,
    recipients     jsonb       NOT NULL DEFAULT '[]',
    analysis_id    bigint REFERENCES news.analyses (id),
    cache_hit      boolean,
    notifies       boolean     NOT NULL DEFAULT true,
    invalid_reason text,
    index_error    text,
    analysed_at    timestamptz,
    indexed_at     timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX newsletters_by_owner ON news.newsletters (owner_id, id DESC);
CREATE INDEX newsletters_by_indexed ON news.newsletters (indexed_at DESC) WHERE indexed_at IS NOT NULL;
COMMENT ON COLUMN news.newsletters.id IS 'the id of its message';
COMMENT ON COLUMN news.newsletters.html IS 'sanitised, for reading';
COMMENT ON COLUMN news.newsletters.recipients IS 'names and addresses of whom this copy was sent to; none of them is analysed';
COMMENT ON COLUMN news.newsletters.language IS 'as it was detected when the mail was read; a hint for the analyser';

-- The embedded index. A word is found by its stem in the newsletter's language and by its exact form without accents,
-- so that a query in any language finds what it names.
CREATE TEXT SEARCH CONFIGURATION news.tournee_simple (COPY = pg_catalog.simple);
ALTER TEXT SEARCH CONFIGURATION news.tournee_simple ALTER MAPPING FOR hword, hword_part, word WITH unaccent, simple;
CREATE TEXT SEARCH CONFIGURATION news.tournee_en (COPY = pg_catalog.english);
ALTER TEXT SEARCH CONFIGURATION news.tournee_en ALTER MAPPING FOR hword, hword_part, word WITH unaccent, english_stem;
CREATE TEXT SEARCH CONFIGURATION news.tournee_fr (COPY = pg_catalog.french);
ALTER TEXT SEARCH CONFIGURATION news.tournee_fr ALTER MAPPING FOR hword, hword_part, word WITH unaccent, french_stem;
CREATE TEXT SEARCH CONFIGURATION news.tournee_de (COPY = pg_catalog.german);
ALTER TEXT SEARCH CONFIGURATION news.tournee_de ALTER MAPPING FOR hword, hword_part, word WITH unaccent, german_stem;
CREATE TEXT SEARCH CONFIGURATION news.tournee_es (COPY = pg_catalog.spanish);
ALTER TEXT SEARCH CONFIGURATION news.tournee_es ALTER MAPPING FOR hword, hword_part, word WITH unaccent, spanish_stem;
CREATE TEXT SEARCH CONFIGURATION news.tournee_it (COPY = pg_catalog.italian);
ALTER TEXT SEARCH CONFIGURATION news.tournee_it ALTER MAPPING FOR hword, hword_part, word WITH unaccent, italian_stem;
CREATE TEXT SEARCH CONFIGURATION news.tournee_pt (COPY = pg_catalog.portuguese);
ALTER TEXT SEARCH CONFIGURATION news.tournee_pt ALTER MAPPING FOR hword, hword_part, word WITH unaccent, portuguese_stem;
CREATE TEXT SEARCH CONFIGURATION news.tournee_nl (COPY = pg_catalog.dutch);
ALTER TEXT SEARCH CONFIGURATION news.tournee_nl ALTER MAPPING FOR hword, hword_part, word WITH unaccent, dutch_stem;

CREATE VIEW news.search_configs (config, dictionary) AS
VALUES ('simple', 'news.tournee_simple'::regconfig),
       ('en', 'news.tournee_en'::regconfig),
       ('fr', 'news.tournee_fr'::regconfig),
       ('de', 'news.tournee_de'::regconfig),
       ('es', 'news.tournee_es'::regconfig),
       ('it', 'news.tournee_it'::regconfig),
       ('pt', 'news.tournee_pt'::regconfig),
       ('nl', 'news.tournee_nl'::regconfig);

CREATE AGGREGATE news.all_of (tsquery) (sfunc = tsquery_and, stype = tsquery);
CREATE AGGREGATE news.any_of (tsquery) (sfunc = tsquery_or, stype = tsquery);

CREATE TABLE news.search_documents (
    newsletter_id bigint PRIMARY KEY REFERENCES news.newsletters (id) ON DELETE CASCADE,
    owner_id      bigint      NOT NULL,
    language      text        NOT NULL,
    config        text        NOT NULL,
    title         text        NOT NULL,
    summary       text        NOT NULL,
    sender        text        NOT NULL,
    topics        text[]      NOT NULL DEFAULT '{}',
    body          text        NOT NULL,
    sent_at       timestamptz,
    fresh_at      timestamptz NOT NULL,
    weighted      tsvector    NOT NULL
);
CREATE INDEX search_documents_weighted ON news.search_documents USING gin (weighted);
CREATE INDEX search_documents_latest ON news.search_documents (owner_id, fresh_at DESC, newsletter_id DESC);
CREATE INDEX search_documents_latest_of_all ON news.search_documents (fresh_at DESC, newsletter_id DESC);
COMMENT ON COLUMN news.search_documents.config IS 'the row of search_configs that stemmed it';
COMMENT ON COLUMN news.search_documents.fresh_at IS 'sent_at, but never later than when it was first indexed: a date in the future gains nothing';
COMMENT ON COLUMN news.search_documents.weighted IS
    'stems with places, A title, B summary, topics and sender, C body; all exact forms without places; :cCONFIG, :oOWNER';

-- The vocabulary of the index, for typo tolerance: a query word that finds nothing is replaced by its nearest.
CREATE TABLE news.search_words (
    word text PRIMARY KEY
);
CREATE INDEX search_words_trgm ON news.search_words USING gin (word gin_trgm_ops);

CREATE TABLE news.rules (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_id   bigint      NOT NULL REFERENCES news.owners (id),
    mailbox_id bigint REFERENCES news.mailboxes (id),
    channel    text        NOT NULL DEFAULT 'email' CHECK (channel IN ('email', 'webhook')),
    target     text        NOT NULL,
    matches    jsonb       NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX rules_by_owner ON news.rules (owner_id);
COMMENT ON COLUMN news.rules.matches IS '{sender, topic, keyword, language}: all given ones must match; empty: each newsletter';

CREATE TABLE news.deliveries (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_id      bigint      NOT NULL REFERENCES news.owners (id),
    newsletter_id bigint      NOT NULL REFERENCES news.newsletters (id) ON DELETE CASCADE,
    channel       text        NOT NULL,
    target        text        NOT NULL,
    why           jsonb       NOT NULL DEFAULT '{}',
    state         text        NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'sent', 'failed')),
    error         text,
    planned_at    timestamptz NOT NULL DEFAULT now(),
    sent_at       timestamptz,
    UNIQUE (owner_id, newsletter_id, channel)
);
CREATE INDEX deliveries_by_newsletter ON news.deliveries (newsletter_id);
COMMENT ON COLUMN news.deliveries.why IS 'the criteria of the rule that matched; empty: the default rule';

-- E-mails to the administrators, written in the transaction of the fault and sent as jobs of their own.
CREATE TABLE news.admin_notices (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fault_key  text        NOT NULL UNIQUE,
    newsletter_id bigint REFERENCES news.newsletters (id) ON DELETE SET NULL,
    subject    text        NOT NULL,
    body       text        NOT NULL,
    error      text,
    created_at timestamptz NOT NULL DEFAULT now(),
    sent_at    timestamptz
);
CREATE INDEX admin_notices_by_newsletter ON news.admin_notices (newsletter_id) WHERE newsletter_id IS NOT NULL;
