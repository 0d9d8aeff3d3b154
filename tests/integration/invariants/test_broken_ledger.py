"""Invariants 1, 2, 5, 8 and 15: each is caught in an engine that lacks its guard, and not in the sound one."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, suppress
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from tests.support.engine import WORK, Work
from tests.support.invariants.breaking import replaced, without
from tests.support.invariants.scenario import Scenario, write_evidence
from tests.support.invariants.trial import Trial
from tournee.db.pool import UNAVAILABLE, Connection
from tournee.engine.client import Enqueued, Job, LedgerUnavailable, Snooze
from tournee.engine.postgres import enqueue, session


async def test_1_a_retry_that_no_narrow_table_holds_is_reported(trial: Trial) -> None:
    """Taken out: the row of `ready` that a failed attempt makes in the statement that changes the state."""

    async def drive(scenario: Scenario) -> None:
        async def script(job: Job[Work]) -> None:
            if job.attempt_number == 1:
                raise ValueError("on request")
            await write_evidence(job)

        scenario.script = script
        await scenario.bench.start()
        await scenario.bench.enqueue_work(1)

        async def ended_or_lost() -> bool:
            # Asked at once: the relay may move the row between two questions.
            return bool(
                await scenario.bench.pool.fetchval(
                    "SELECT state = 'completed' OR (state = 'pending' AND attempt = 1"
                    " AND NOT EXISTS (SELECT FROM engine.ready r WHERE r.job_id = j.id)) FROM engine.jobs j"
                )
            )

        await scenario.bench.wait_until(ended_or_lost)

    rows = "priority < 0, run_at <= now() FROM moved"
    await trial.run(1, drive, without("retry_failed", rows, f"{rows} WHERE false"))


async def test_2_two_rows_of_one_key_are_reported(trial: Trial) -> None:
    """Taken out: ON CONFLICT and the unique constraint, since either of the two suffices."""

    async def drive(scenario: Scenario) -> None:
        if scenario.broken:
            await scenario.bench.pool.execute("ALTER TABLE engine.jobs DROP CONSTRAINT jobs_queue_key_key")
        await scenario.bench.start()
        for _ in range(2):
            await scenario.bench.enqueue(Work(n=0))
        await scenario.bench.run_to_rest()

    await trial.run(2, drive, without("insert_jobs", "ON CONFLICT (queue, key) DO NOTHING"))


async def test_5_a_rolled_back_enqueue_that_runs_is_reported(trial: Trial) -> None:
    """Taken out: that a job is inserted on the connection of the caller's transaction."""

    async def drive(scenario: Scenario) -> None:
        await scenario.bench.start()
        with suppress(ZeroDivisionError):
            async with scenario.bench.engine.transaction() as tx:
                await tx.enqueue(Work(n=0))
                raise ZeroDivisionError
        scenario.journal.note_rolled_back("work", ["0"])
        await scenario.bench.enqueue(Work(n=1))
        await scenario.bench.run_to_rest()

    await trial.run(5, drive, enqueue_apart)


def enqueue_apart(scenario: Scenario) -> AbstractContextManager[Any]:
    """Jobs are inserted on a connection of their own, which commits at once."""
    insert_jobs = enqueue.insert_jobs

    async def insert_on_another(_: Connection, jobs: Any) -> list[Enqueued]:
        async with scenario.bench.pool.acquire() as own:
            return await insert_jobs(own, jobs)

    return patch.object(enqueue, "insert_jobs", insert_on_another)


async def test_8_a_snooze_that_uses_an_attempt_is_reported(trial: Trial) -> None:
    """Taken out: that only a failure raises `attempt`."""

    async def drive(scenario: Scenario) -> None:
        async def script(job: Job[Work]) -> None:
            if job.claimed.lease == 1:
                raise Snooze(timedelta(milliseconds=10))
            await write_evidence(job)

        scenario.script = script
        await scenario.bench.start()
        await scenario.bench.enqueue_work(1)
        await scenario.bench.run_to_rest()

    counted = "snoozes = j.snoozes + $5"
    await trial.run(8, drive, without("put_off_jobs", counted, f"{counted}, attempt = j.attempt + $5"))


async def test_8_a_stale_failure_that_uses_an_attempt_is_reported(trial: Trial) -> None:
    """Taken out: the lease in the failure, and in the lock before it, which suffices by itself."""

    async def drive(scenario: Scenario) -> None:
        renewed, failed = asyncio.Event(), asyncio.Event()

        async def script(job: Job[Work]) -> None:
            if job.claimed.lease == 1:
                await renewed.wait()
                raise ValueError("too late")
            renewed.set()
            await failed.wait()
            await write_evidence(job)

        scenario.script = script
        await scenario.bench.start(heartbeat_seconds=600)
        await scenario.bench.enqueue_work(1)
        await scenario.renew_lease()
        await renewed.wait()

        async def over() -> bool:
            # The failure's own record; or nothing is held any more but the job of the second lease.
            attempts = await scenario.bench.pool.fetchval("SELECT count(*) FROM engine.job_attempts")
            return bool(attempts) or scenario.bench.workers[0].read_load()[WORK][0] == 1

        await scenario.bench.wait_until(over)
        failed.set()
        await scenario.bench.run_to_rest()

    await trial.run(
        8,
        drive,
        without("lock_running", "AND j.lease = t.lease"),
        without("retry_failed", "AND lease = $2", "AND $2::int > 0"),
    )


async def test_15_an_enqueue_that_is_acknowledged_before_its_commit_is_reported(trial: Trial) -> None:
    """Taken out: that a COMMIT that is not answered raises."""

    async def drive(scenario: Scenario) -> None:
        pool = scenario.bench.pool
        with suppress(LedgerUnavailable):
            async with scenario.bench.engine.transaction() as tx:
                await tx.enqueue(Work(n=0))
                backend = await tx.connection.fetchval("SELECT pg_backend_pid()")
                await pool.fetchval("SELECT pg_terminate_backend($1, 5000)", backend)
            scenario.journal.note_acknowledged("work", ["0"])
        await scenario.bench.start()
        await scenario.bench.enqueue(Work(n=1))
        await scenario.bench.run_to_rest()

    async def commit_in_the_dark(open_transaction: Any) -> None:
        with suppress(*UNAVAILABLE):
            await open_transaction.commit()

    await trial.run(15, drive, replaced(session, "_commit", commit_in_the_dark))
