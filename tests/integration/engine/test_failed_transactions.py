"""A transaction in which a statement failed can't be committed, and one that would wait for itself is not begun."""

from __future__ import annotations

from contextlib import suppress

import asyncpg
import pytest

from tests.support.engine import Bench, Work, insert_effect, write_effect
from tournee.db.pool import Connection, PoolSettings, open_pool, transaction
from tournee.engine.client import Job, JobState

FAULT = "SELECT 1 / 0"


async def test_an_enqueue_that_is_rolled_back_with_its_transaction_is_acknowledged_to_nobody(bench: Bench) -> None:
    with pytest.raises(asyncpg.InFailedSQLTransactionError):
        async with bench.engine.transaction() as tx:
            await tx.enqueue(Work(n=0))
            with suppress(asyncpg.DivisionByZeroError):
                await tx.connection.execute(FAULT)

    assert await bench.count_states() == {}


async def test_a_step_whose_statement_failed_is_a_failure_of_the_run_though_the_handler_swallowed_it(
    bench: Bench,
) -> None:
    async def script(job: Job[Work]) -> None:
        if len(bench.handlers.started) == 1:
            async with job.step() as tx:
                await insert_effect(tx, "a step")
                with suppress(asyncpg.DivisionByZeroError):
                    await tx.connection.execute(FAULT)
        await write_effect(job)

    bench.handlers.script = script
    await bench.start()
    await bench.enqueue(Work(n=0))

    await bench.run_to_rest()
    row = await bench.show()
    assert (row.state, row.attempt) == (JobState.COMPLETED, 1)
    assert await bench.read_effects() == ["0"]


async def test_effects_whose_statement_failed_do_not_complete_their_job(bench: Bench) -> None:
    async def script(job: Job[Work]) -> None:
        async with job.transaction() as tx:
            await insert_effect(tx, job.key)
            with suppress(asyncpg.DivisionByZeroError):
                await tx.connection.execute(FAULT)

    bench.handlers.script = script
    await bench.start()
    await bench.enqueue(Work(n=0))

    await bench.wait_for_state("dead", seconds=20)
    assert await bench.read_effects() == ["dead 0"]


async def swallow_a_fault(connection: Connection) -> None:
    with suppress(asyncpg.DivisionByZeroError):
        await connection.execute(FAULT)


async def fail_within_a_savepoint(connection: Connection) -> None:
    async with connection.transaction():
        await connection.execute(FAULT)


@pytest.mark.parametrize("through_bouncer", [False, True])
async def test_a_commit_that_rolled_back_is_told_on_every_connection(database_url: str, through_bouncer: bool) -> None:
    pool = await open_pool(PoolSettings(database_url, min_size=1, through_bouncer=through_bouncer))
    try:
        with pytest.raises(asyncpg.InFailedSQLTransactionError):
            async with transaction(pool) as connection:
                await swallow_a_fault(connection)

        async with transaction(pool) as connection:
            with suppress(asyncpg.DivisionByZeroError):
                await fail_within_a_savepoint(connection)
            assert await connection.fetchval("SELECT 1") == 1, "a savepoint takes the failure back"
    finally:
        pool.terminate()


async def test_a_step_within_the_transaction_is_refused_and_does_not_wait_for_itself(bench: Bench) -> None:
    async def script(job: Job[Work]) -> None:
        async with job.transaction(), job.step() as tx:
            await insert_effect(tx, job.key)

    bench.handlers.script = script
    await bench.start()
    await bench.enqueue(Work(n=0))

    await bench.wait_for_state("dead", seconds=20)
    [attempt, *_] = await bench.engine.list_attempts([(await bench.show()).id])
    assert (attempt.error_class, "wait for itself" in attempt.message) == ("RuntimeError", True)
