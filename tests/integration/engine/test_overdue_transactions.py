"""Transactions that take too long: the job's own fault only while the ledger is well."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.support.engine import Bench, Bulk, Work, insert_effect, write_effect
from tournee.db.pool import PoolSettings, open_pool
from tournee.engine.client import Batch, Job, JobState, LedgerUnavailable, Transaction
from tournee.engine.ports import TransactionOverdue
from tournee.engine.postgres import session as ledger_session
from tournee.engine.postgres.session import Session
from tournee.engine.worker import outcome, strikes

LIMIT_SECONDS = 0.3
"""What the handlers here grant a statement, in place of the pool's half minute."""


@pytest.fixture
async def hasty(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Its releases are short."""
    for module in (strikes, outcome):
        monkeypatch.setattr(module, "LEDGER_DELAY", outcome.LEDGER_DELAY / 20)
    return bench


async def take_too_long(tx: Transaction) -> None:
    await tx.connection.execute("SELECT pg_sleep(60)", timeout=LIMIT_SECONDS)


async def test_a_statement_that_always_takes_too_long_is_the_jobs_own_failure(hasty: Bench) -> None:
    async def script(job: Job[Work]) -> None:
        async with job.transaction() as tx:
            await take_too_long(tx)

    hasty.handlers.script = script
    await hasty.enqueue(Work(n=0))
    await hasty.pool.execute("UPDATE engine.jobs SET max_attempts = 2")
    await hasty.start()

    await hasty.wait_for_state("dead", seconds=60)
    row = await hasty.show()
    assert (row.attempt, row.crashes, row.outages) == (2, 0, 0)
    attempts = await hasty.engine.list_attempts([row.id])
    assert [(attempt.outcome, attempt.error_class) for attempt in attempts] == [("failed", "TransactionOverdue")] * 2


async def test_a_transaction_that_always_idles_until_postgresql_ends_it_is_the_jobs_own_failure(
    hasty: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_session, "IDLE_IN_TRANSACTION_SECONDS", 0.2)

    async def script(job: Job[Work]) -> None:
        async with job.transaction() as tx:
            await tx.connection.execute("SET LOCAL idle_in_transaction_session_timeout = 200")
            # In place of a provider's answer that is waited for inside the transaction.
            await wait_until_ended(tx)
            await insert_effect(tx, job.key)

    hasty.handlers.script = script
    await hasty.enqueue(Work(n=0))
    await hasty.pool.execute("UPDATE engine.jobs SET max_attempts = 1")
    await hasty.start()

    await hasty.wait_for_state("dead", seconds=60)
    assert (await hasty.show()).attempt == 1
    assert await hasty.read_effects() == ["dead 0"]


async def test_one_job_of_a_batch_whose_statement_takes_too_long_fails_alone(hasty: Bench) -> None:
    async def bulk(batch: Batch[Bulk]) -> None:
        async with batch.transaction() as tx:
            for job in batch.jobs:
                if job.payload.note:
                    await take_too_long(tx)
                await insert_effect(tx, job.key)

    hasty.handlers.bulk = bulk
    await hasty.enqueue(Bulk(n=0), Bulk(n=1, note="slow"), Bulk(n=2))
    await hasty.pool.execute("UPDATE engine.jobs SET max_attempts = 1")
    await hasty.start()

    await hasty.wait_for_state("dead", seconds=60)
    await hasty.run_to_rest(60)
    assert (await hasty.show(1, "bulk")).state is JobState.DEAD
    for n in (0, 2):
        row = await hasty.show(n, "bulk")
        assert (row.state, row.attempt) == (JobState.COMPLETED, 0)


async def test_a_statement_that_takes_too_long_twice_uses_no_attempt(hasty: Bench) -> None:
    async def script(job: Job[Work]) -> None:
        if len(hasty.handlers.started) in (1, 2, 4, 5):
            async with job.transaction() as tx:
                await take_too_long(tx)
        if len(hasty.handlers.started) == 3:
            raise ValueError("a failure of another kind breaks the row")
        await write_effect(job)

    hasty.handlers.script = script
    await hasty.start()
    await hasty.enqueue(Work(n=0))

    await hasty.run_to_rest(60)
    row = await hasty.show()
    assert (row.state, row.attempt, len(hasty.handlers.started)) == (JobState.COMPLETED, 1, 6)


async def test_a_ledger_that_answers_no_heartbeat_either_is_held_against_no_job(
    hasty: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strikes, "SILENCE_SECONDS", LIMIT_SECONDS / 2)

    async def script(job: Job[Work]) -> None:
        if len(hasty.handlers.started) > 4:
            await write_effect(job)
            return
        async with hasty.pool.acquire() as other, other.transaction():
            # Whoever writes a heartbeat waits now, as for a server that stands still.
            await other.execute("LOCK TABLE engine.workers")
            async with job.transaction() as tx:
                await take_too_long(tx)

    hasty.handlers.script = script
    await hasty.start()
    await hasty.enqueue(Work(n=0))

    await hasty.run_to_rest(60)
    row = await hasty.show()
    assert (row.state, row.attempt, len(hasty.handlers.started)) == (JobState.COMPLETED, 0, 5)


async def test_locks_that_others_hold_are_waited_for_and_charged_to_nobody(hasty: Bench) -> None:
    async with hasty.pool.acquire() as other:
        held = other.transaction()
        await held.start()
        await other.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        await other.execute("LOCK TABLE effects")

        async def script(job: Job[Work]) -> None:
            if len(hasty.handlers.started) == 5:
                await held.rollback()
            async with job.transaction() as tx:
                await tx.connection.execute("SET LOCAL lock_timeout = 20")
                await insert_effect(tx, job.key)

        hasty.handlers.script = script
        await hasty.start()
        await hasty.enqueue(Work(n=0))
        await hasty.run_to_rest(60)

    row = await hasty.show()
    assert (row.state, row.attempt, len(hasty.handlers.started)) == (JobState.COMPLETED, 0, 5)


async def test_a_statement_that_the_server_cancels_is_overdue(database_url: str) -> None:
    pool = await open_pool(PoolSettings(database_url, min_size=1))
    session = Session(pool)
    try:
        with pytest.raises(TransactionOverdue):
            async with session.transaction() as connection:
                await connection.execute("SET LOCAL statement_timeout = 50")
                await connection.execute("SELECT pg_sleep(60)")
    finally:
        pool.terminate()


async def test_a_ledger_that_turned_read_only_is_an_outage(hasty: Bench) -> None:
    """As a standby is, to which a fail-over leads the old address."""

    async def script(job: Job[Work]) -> None:
        async with job.transaction() as tx:
            if len(hasty.handlers.started) <= 4:
                await tx.connection.execute("SET LOCAL transaction_read_only = on")
            await insert_effect(tx, job.key)

    hasty.handlers.script = script
    await hasty.start()
    await hasty.enqueue(Work(n=0))

    await hasty.run_to_rest(60)
    row = await hasty.show()
    assert (row.state, row.attempt, len(hasty.handlers.started)) == (JobState.COMPLETED, 0, 5)


async def test_a_server_that_refuses_a_connection_is_an_outage_whatever_its_reason(database_url: str) -> None:
    pool = await open_pool(PoolSettings(database_url, min_size=0))
    address = urlsplit(database_url)
    try:
        pool.set_connect_args(database_url.replace(f"{address.username}:", "nobody-known:", 1))
        with pytest.raises(LedgerUnavailable):
            await Session(pool).fetch_value("SELECT 1")
    finally:
        pool.terminate()


async def wait_until_ended(tx: Transaction) -> None:
    """Until the driver has seen that PostgreSQL ended the session, with no statement."""
    async with asyncio.timeout(20):
        with suppress(asyncpg.InterfaceError):
            while not tx.connection.is_closed():  # noqa: ASYNC110 - the driver tells nobody
                await asyncio.sleep(0.02)
