"""Writes down every change of the ledger, in the transaction that makes it.

Owns the schema `evidence`, which tests alone install: the table that handlers write their effects into, and triggers
on `engine.jobs` and `engine.audit_log`. One trigger call a statement, not a row, so that a bulk change costs one
INSERT more: 100,000 jobs leave about 400,000 rows.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tournee.db.pool import Connection, Pool
from tournee.engine.client import Job, Transaction

SCHEMA = """
CREATE SCHEMA IF NOT EXISTS evidence;
CREATE TABLE IF NOT EXISTS evidence.effects (
    job_id bigint NOT NULL, lease int NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE IF NOT EXISTS evidence.audits (audit_id bigint PRIMARY KEY, xid text NOT NULL);
CREATE TABLE IF NOT EXISTS evidence.history (
    seq bigint GENERATED ALWAYS AS IDENTITY, xid text NOT NULL, at timestamptz NOT NULL, job_id bigint NOT NULL,
    queue text NOT NULL, key text NOT NULL, old_state text, new_state text, old_lease int, new_lease int,
    old_attempt int, new_attempt int, old_crashes int, new_crashes int, old_alone boolean, run_at timestamptz);
"""

FUNCTIONS = """
CREATE OR REPLACE FUNCTION evidence.record_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO evidence.history (xid, at, job_id, queue, key, old_state, new_state, old_lease, new_lease, old_attempt,
                                  new_attempt, old_crashes, new_crashes, old_alone, run_at)
    SELECT pg_current_xact_id()::text, clock_timestamp(), id, queue, key, NULL, state, lease, lease, attempt, attempt,
           crashes, crashes, alone, run_at FROM new_rows;
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION evidence.record_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO evidence.history (xid, at, job_id, queue, key, old_state, new_state, old_lease, new_lease, old_attempt,
                                  new_attempt, old_crashes, new_crashes, old_alone, run_at)
    SELECT pg_current_xact_id()::text, clock_timestamp(), n.id, n.queue, n.key, o.state, n.state, o.lease, n.lease,
           o.attempt, n.attempt, o.crashes, n.crashes, o.alone, o.run_at
    FROM old_rows o JOIN new_rows n ON n.id = o.id;
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION evidence.record_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO evidence.history (xid, at, job_id, queue, key, old_state, new_state, old_lease, new_lease, old_attempt,
                                  new_attempt, old_crashes, new_crashes, old_alone, run_at)
    SELECT pg_current_xact_id()::text, clock_timestamp(), id, queue, key, state, NULL, lease, lease, attempt, attempt,
           crashes, crashes, alone, run_at FROM old_rows;
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION evidence.record_audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO evidence.audits SELECT id, pg_current_xact_id()::text FROM new_rows;
    RETURN NULL;
END $$;
"""

TRIGGERS = """
CREATE OR REPLACE TRIGGER record_insert AFTER INSERT ON engine.jobs
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION evidence.record_insert();
CREATE OR REPLACE TRIGGER record_update AFTER UPDATE ON engine.jobs
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION evidence.record_update();
CREATE OR REPLACE TRIGGER record_delete AFTER DELETE ON engine.jobs
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION evidence.record_delete();
CREATE OR REPLACE TRIGGER record_audit AFTER INSERT ON engine.audit_log
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION evidence.record_audit();
"""


async def install_recorder(pool: Pool, *, history: bool = True) -> None:
    """Make the schema `evidence`, before the first job; may be called again. Without `history` only the table of
    effects is made: the checks that read history then say nothing. Commits.
    """
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(SCHEMA + FUNCTIONS)
        if history:
            await connection.execute(TRIGGERS)


async def record_effect(tx: Transaction, job: Job[Any]) -> None:
    """The effect of a handler, in the job's transaction."""
    await insert_effect(tx.connection, job.claimed.id.job_id, job.claimed.lease)


async def insert_effect(connection: Connection, job_id: int, lease: int) -> None:
    """The same, for a test that chooses the connection."""
    await connection.execute("INSERT INTO evidence.effects (job_id, lease) VALUES ($1, $2)", job_id, lease)


async def read_clock(pool: Pool) -> datetime:
    """PostgreSQL's clock."""
    now: datetime = await pool.fetchval("SELECT clock_timestamp()")
    return now
