-- Limits that hold over all processes, enforced where the whole backlog is seen: at the relay's mark. Null: no limit.
ALTER TABLE engine.queues
    ADD COLUMN concurrency_limit        int CHECK (concurrency_limit > 0),
    ADD COLUMN tenant_concurrency_limit int CHECK (tenant_concurrency_limit > 0),
    ADD COLUMN rate_limit               int CHECK (rate_limit > 0),
    ADD COLUMN rate_period              interval CHECK (rate_period > interval '0'),
    ADD COLUMN tenant_rate_limit        int CHECK (tenant_rate_limit > 0),
    ADD COLUMN tenant_rate_period       interval CHECK (tenant_rate_period > interval '0'),
    ADD COLUMN front_debt               int NOT NULL DEFAULT 0 CHECK (front_debt >= 0),
    ADD CHECK ((rate_limit IS NULL) = (rate_period IS NULL)),
    ADD CHECK ((tenant_rate_limit IS NULL) = (tenant_rate_period IS NULL));
COMMENT ON COLUMN engine.queues.rate_limit IS 'so many dispatches in rate_period, as a token bucket';
COMMENT ON COLUMN engine.queues.front_debt IS 'places at the front of Redis that places at the back have yet to pay for';

-- Whose row it is, so that a tenant's share of the window is counted without reading jobs.
ALTER TABLE engine.inflight ADD COLUMN tenant text NOT NULL DEFAULT '';
UPDATE engine.inflight f SET tenant = j.tenant FROM engine.jobs j WHERE j.id = f.job_id AND j.tenant <> '';

-- One token bucket per limited queue (scope queue, tenant '') and per limited tenant that had a dispatch in the last
-- period: a bucket that would be full again is as good as none, and is removed.
CREATE TABLE engine.rate_buckets (
    queue       text             NOT NULL REFERENCES engine.queues (name),
    scope       text             NOT NULL CHECK (scope IN ('queue', 'tenant')),
    tenant      text             NOT NULL,
    tokens      double precision NOT NULL,
    refilled_at timestamptz      NOT NULL,
    PRIMARY KEY (queue, scope, tenant)
) WITH (fillfactor = 50);

-- How many tokens a bucket holds at an instant. Null refilled_at: there is no bucket, which is a full one. A clock that
-- was set back fills it, or the bucket would stay as it is for as long as that. Called with an instant that is no
-- volatile expression, so that the planner puts the body in its place.
CREATE FUNCTION engine.count_tokens(
    tokens double precision, refilled_at timestamptz, rate_limit int, rate_period interval, at timestamptz
) RETURNS double precision LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN refilled_at IS NULL OR at < refilled_at - interval '1 second' THEN rate_limit
        ELSE least(rate_limit, tokens + rate_limit * extract(epoch FROM greatest(at - refilled_at, interval '0'))
                                        / extract(epoch FROM rate_period))
    END::double precision
$$;
