-- Faults of one cause are one incident: the administrators get a mail for it, not one for each fault.
ALTER TABLE news.admin_notices
    ADD COLUMN incident  text        NOT NULL DEFAULT '',
    ADD COLUMN ordinal   integer     NOT NULL DEFAULT 1,
    ADD COLUMN began_at  timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN announced boolean     NOT NULL DEFAULT true;
CREATE INDEX admin_notices_by_incident ON news.admin_notices (incident, id DESC);
COMMENT ON COLUMN news.admin_notices.incident IS 'what faults of one cause have in common';
COMMENT ON COLUMN news.admin_notices.ordinal IS 'which fault of its incident it is, from 1 on';
COMMENT ON COLUMN news.admin_notices.began_at IS 'when the first fault of its incident happened';
COMMENT ON COLUMN news.admin_notices.announced IS 'whether a mail is sent for it; the others are counted by that mail';
