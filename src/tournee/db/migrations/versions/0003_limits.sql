-- Limits that hold over all processes, enforced where the whole backlog is seen: at the relay's mark. Null: no limit.
ALTER TABLE engine.queues
    ADD COLUMN concurrency_limit        int CHECK (concurrency_limit > 0),
    ADD COLUMN tenant_concurrency_limit int CHECK (tenant_concurrency_limit > 0),
    ADD COLUMN rate_limit               int CHECK (rate_limit > 0),
    ADD COLUMN rate_period              interval CHECK (rate_period > interval '0'),
    ADD COLUMN tenant_rate_limit        int CHECK (tenant_rate_limit > 0),
    ADD COLUMN tenant_rate_period       interval CHECK (tenant_rate_period > interval '0');
COMMENT ON COLUMN engine.queues.rate_limit IS 'so many dispatches in rate_period, as a token bucket';

-- Whose row it is, so that a tenant's share of the window is counted without reading jobs.
ALTER TABLE engine.inflight ADD COLUMN tenant text NOT NULL DEFAULT '';

-- One token bucket per limited queue (tenant '') and per limited tenant with work in the last period.
CREATE TABLE engine.rate_buckets (
    queue       text             NOT NULL REFERENCES engine.queues (name),
    tenant      text             NOT NULL,
    tokens      double precision NOT NULL,
    refilled_at timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (queue, tenant)
) WITH (fillfactor = 50);
