-- The ledger. Truth of every job; Redis holds only a window of it.
--
-- State changes of `jobs` stay HOT: no index on it names a column that a state change writes. What must be
-- found by state is found through narrow tables beside it: `ready` (pending), `inflight` (queued, running),
-- `dead` (dead). Each is written in the statement that changes the state, never by a trigger.

CREATE SCHEMA engine;

CREATE TYPE engine.job_state AS ENUM ('pending', 'queued', 'running', 'completed', 'dead', 'cancelled');

CREATE TABLE engine.providers (
    name        text PRIMARY KEY,
    state       text        NOT NULL DEFAULT 'closed' CHECK (state IN ('closed', 'open', 'half-open')),
    failures    int         NOT NULL DEFAULT 0,
    openings    int         NOT NULL DEFAULT 0,
    successes   int         NOT NULL DEFAULT 0,
    reason      text,
    opened_at   timestamptz,
    retry_at    timestamptz,
    changed_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE engine.queues (
    name          text PRIMARY KEY,
    priority      text        NOT NULL DEFAULT 'medium',
    provider      text REFERENCES engine.providers (name),
    max_attempts  smallint CHECK (max_attempts > 0),
    paused        boolean     NOT NULL DEFAULT false,
    epoch         bigint      NOT NULL DEFAULT 1,
    tenant_cursor text        NOT NULL DEFAULT '',
    swept_at      timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE engine.jobs (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue               text             NOT NULL REFERENCES engine.queues (name),
    key                 text             NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    kind                text             NOT NULL,
    version             smallint         NOT NULL DEFAULT 1,
    payload             jsonb            NOT NULL CHECK (octet_length(payload::text) <= 32768),
    tenant              text             NOT NULL DEFAULT '',
    priority            smallint         NOT NULL DEFAULT 0,
    rank                timestamptz      NOT NULL,
    state               engine.job_state NOT NULL DEFAULT 'pending',
    attempt             smallint         NOT NULL DEFAULT 0,
    max_attempts        smallint         NOT NULL DEFAULT 3 CHECK (max_attempts > 0),
    crashes             smallint         NOT NULL DEFAULT 0,
    outages             int              NOT NULL DEFAULT 0,
    snoozes             int              NOT NULL DEFAULT 0,
    dispatch            int              NOT NULL DEFAULT 0,
    lease               int              NOT NULL DEFAULT 0,
    suspect             boolean          NOT NULL DEFAULT false,
    alone               boolean          NOT NULL DEFAULT false,
    cancel_requested    boolean          NOT NULL DEFAULT false,
    worker_id           uuid,
    run_at              timestamptz      NOT NULL DEFAULT now(),
    created_at          timestamptz      NOT NULL DEFAULT now(),
    dispatched_at       timestamptz,
    started_at          timestamptz,
    deadline_at         timestamptz,
    finished_at         timestamptz,
    trace_context       text,
    CHECK (attempt <= max_attempts),
    UNIQUE (queue, key)
) WITH (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);

-- One row per pending job. `due` false: its run_at lies ahead; the relay promotes it.
CREATE TABLE engine.ready (
    job_id   bigint      NOT NULL PRIMARY KEY,
    queue    text        NOT NULL,
    tenant   text        NOT NULL,
    rank     timestamptz NOT NULL,
    run_at   timestamptz NOT NULL,
    urgent   boolean     NOT NULL,
    due      boolean     NOT NULL
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX ready_walk ON engine.ready (queue, tenant, rank, job_id) WHERE due;
CREATE INDEX ready_urgent ON engine.ready (queue, rank, job_id) WHERE due AND urgent;
CREATE INDEX ready_scheduled ON engine.ready (queue, run_at, job_id) WHERE NOT due;

-- One row per queued or running job: O(window) whatever the backlog.
CREATE TABLE engine.inflight (
    queue  text   NOT NULL,
    job_id bigint NOT NULL,
    PRIMARY KEY (queue, job_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

-- One row per dead job: the dead letters, found without an index on state.
CREATE TABLE engine.dead (
    job_id  bigint      NOT NULL PRIMARY KEY,
    queue   text        NOT NULL,
    died_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dead_latest ON engine.dead (died_at DESC, job_id DESC);

CREATE TABLE engine.job_attempts (
    job_id      bigint      NOT NULL REFERENCES engine.jobs (id) ON DELETE CASCADE,
    lease       int         NOT NULL,
    worker_id   uuid,
    started_at  timestamptz,
    finished_at timestamptz NOT NULL DEFAULT now(),
    outcome     text        NOT NULL CHECK (outcome IN ('failed', 'timed_out', 'crashed', 'parked')),
    error_class text        NOT NULL,
    message     text        NOT NULL,
    stack       text        NOT NULL DEFAULT '',
    PRIMARY KEY (job_id, lease)
);

CREATE TABLE engine.workers (
    id           uuid PRIMARY KEY,
    name         text        NOT NULL,
    host         text        NOT NULL,
    pid          int         NOT NULL,
    queues       jsonb       NOT NULL DEFAULT '{}',
    beat         bigint      NOT NULL DEFAULT 0,
    beat_at      timestamptz NOT NULL DEFAULT now(),
    started_at   timestamptz NOT NULL DEFAULT now(),
    stopping     boolean     NOT NULL DEFAULT false,
    reported_dead boolean    NOT NULL DEFAULT false
) WITH (fillfactor = 50);
COMMENT ON COLUMN engine.workers.queues IS 'queue name → {concurrency, consumed_per_second}';

CREATE TABLE engine.leaders (
    role       text PRIMARY KEY,
    holder     uuid        NOT NULL,
    until      timestamptz NOT NULL
);

CREATE TABLE engine.audit_log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    actor      text        NOT NULL,
    action     text        NOT NULL,
    reason     text        NOT NULL DEFAULT '',
    filter     jsonb       NOT NULL DEFAULT '{}',
    job_ids    bigint[]    NOT NULL DEFAULT '{}'
);

CREATE TABLE engine.maintenance (
    name  text PRIMARY KEY,
    value jsonb NOT NULL
);
COMMENT ON TABLE engine.maintenance IS 'Cursors of background services, for instance how far the pruner has read.';
