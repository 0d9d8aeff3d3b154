-- Jobs that recur. One row per schedule; a firing inserts the job and moves next_at in one transaction.
CREATE TABLE engine.schedules (
    name          text PRIMARY KEY,
    cron          text        NOT NULL,
    time_zone     text        NOT NULL DEFAULT 'UTC',
    queue         text        NOT NULL REFERENCES engine.queues (name),
    kind          text        NOT NULL,
    missed        text        NOT NULL DEFAULT 'latest' CHECK (missed IN ('latest', 'all', 'skip')),
    paused        boolean     NOT NULL DEFAULT false,
    next_at       timestamptz NOT NULL,
    last_fired_at timestamptz,
    declared_at   timestamptz NOT NULL DEFAULT now()
);
