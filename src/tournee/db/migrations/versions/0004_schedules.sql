-- Jobs that recur. One row per schedule; a firing inserts the job and moves next_at in one transaction, under the row's
-- lock. Which process fires it stands in engine.leaders, as the role 'schedule ' followed by its name.
CREATE TABLE engine.schedules (
    name          text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 100),
    cron          text        NOT NULL,
    time_zone     text        NOT NULL DEFAULT 'UTC',
    queue         text        NOT NULL REFERENCES engine.queues (name),
    kind          text        NOT NULL,
    missed        text        NOT NULL DEFAULT 'latest' CHECK (missed IN ('latest', 'all', 'skip')),
    paused        boolean     NOT NULL DEFAULT false,
    next_at       timestamptz NOT NULL,
    last_fired_at timestamptz,
    last_error    text,
    declared_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN engine.schedules.last_fired_at IS 'the latest instant that made a job, not the moment it was made';
COMMENT ON COLUMN engine.schedules.declared_at IS 'when what stands here was declared: first, or changed';
