-- Does PostgreSQL answer? For readiness; returns 1.
SELECT 1
