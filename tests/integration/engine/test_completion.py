"""Effects, follow-up jobs and completion commit together, or not at all."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from tests.support.engine import OPERATOR, Bench, Bulk, FollowUp, Free, Work, insert_effect, write_effect
from tournee.engine.client import Batch, Job, JobState, LeaseLost, ProviderUnavailable, Snooze
from tournee.engine.core.errors import TransactionMissing


async def test_effects_are_committed_with_the_completion(bench: Bench) -> None:
    await bench.start()
    await bench.enqueue_work(20)

    await bench.run_to_rest()

    assert await bench.count_states() == {"completed": 20}
    assert sorted(await bench.read_effects(), key=int) == [str(n) for n in range(20)]
    await bench.assert_consistent()
    await bench.assert_both_sides_agree()


async def test_a_rolled_back_transaction_leaves_neither_effects_nor_follow_ups(bench: Bench) -> None:
    async def script(job: Job[Work]) -> None:
        async with job.transaction() as tx:
            await insert_effect(tx, f"attempt {job.attempt_number}")
            await tx.enqueue(FollowUp(n=1))
            if job.attempt_number < 2:
                raise ValueError("not yet")

    bench.handlers.script = script
    await bench.start()
    await bench.enqueue(Work(n=0))
    await bench.wait_for_state("completed")

    assert await bench.read_effects() == ["attempt 2"]
    assert len(await bench.engine.find_jobs([("follow", "1")])) == 1
    assert (await bench.show()).attempt == 1


async def test_a_stale_lease_cannot_complete_and_all_of_it_rolls_back(bench: Bench) -> None:
    seen: list[BaseException] = []

    async def script(job: Job[Work]) -> None:
        await bench.pool.execute("UPDATE engine.jobs SET lease = lease + 1")
        try:
            await write_effect(job)
        except LeaseLost as error:
            seen.append(error)
            raise

    bench.handlers.script = script
    await bench.start(heartbeat_seconds=10)
    await bench.enqueue(Work(n=0))

    async def lost() -> bool:
        return bool(seen)

    await bench.wait_until(lost)
    assert await bench.read_effects() == []
    row = await bench.show()
    assert (row.state, row.attempt) == (JobState.RUNNING, 0)


async def test_a_lease_lost_inside_the_transaction_rolls_back_too(bench: Bench) -> None:
    """Only a fault of ours could change the locked row; the guard at the end holds even so."""

    async def script(job: Job[Work]) -> None:
        async with job.transaction() as tx:
            await insert_effect(tx, "must not stay")
            await tx.connection.execute("UPDATE engine.jobs SET lease = lease + 1")

    bench.handlers.script = script
    await bench.start()
    await bench.enqueue(Work(n=0))

    async def ran() -> bool:
        return len(bench.handlers.started) >= 2

    await bench.wait_until(ran)
    assert await bench.read_effects() == []


async def test_a_second_transaction_is_refused_and_the_first_stands(bench: Bench) -> None:
    refusals: list[str] = []

    async def script(job: Job[Work]) -> None:
        await write_effect(job)
        try:
            await write_effect(job)
        except RuntimeError as error:
            refusals.append(str(error))
            raise

    bench.handlers.script = script
    await bench.start()
    await bench.enqueue(Work(n=0))
    await bench.run_to_rest()

    assert (await bench.show()).state is JobState.COMPLETED
    assert await bench.read_effects() == ["0"]
    assert len(refusals) == 1


async def test_a_handler_that_returns_without_its_transaction_fails(bench: Bench) -> None:
    async def script(_job: Job[Work]) -> None:
        return None

    bench.handlers.script = script
    await bench.start()
    await bench.enqueue(Work(n=0))
    await bench.wait_for_state("dead")

    [dead] = bench.handlers.dead
    assert dead.error.error_class == TransactionMissing.__name__


async def test_effect_free_jobs_are_completed_in_batches(bench: Bench) -> None:
    batches: list[int] = []
    complete_jobs = bench.engine.store.complete_jobs

    async def counted(jobs):  # type: ignore[no-untyped-def]
        batches.append(len(jobs))
        return await complete_jobs(jobs)

    bench.engine.store.complete_jobs = counted  # type: ignore[method-assign]
    await bench.enqueue(*(Free(n=n) for n in range(60)))
    await bench.start(concurrency=20)
    await bench.run_to_rest()

    assert await bench.count_states() == {"completed": 60}
    assert sum(batches) == 60
    assert max(batches) > 1


async def test_one_row_that_cannot_be_completed_does_not_hold_its_neighbours(bench: Bench) -> None:
    complete_jobs = bench.engine.store.complete_jobs

    async def refusing(jobs):  # type: ignore[no-untyped-def]
        if any(job.key == "3" for job in jobs):
            raise asyncpg.InternalServerError("a row that is broken")
        return await complete_jobs(jobs)

    bench.engine.store.complete_jobs = refusing  # type: ignore[method-assign]
    await bench.enqueue(*(Free(n=n) for n in range(10)))
    await bench.start(concurrency=10)

    await bench.wait_for_state("completed", 9)
    bench.engine.store.complete_jobs = complete_jobs  # type: ignore[method-assign]
    await bench.wait_for_state("completed", 10)
    assert (await bench.show(3, "free")).attempt == 0


async def test_a_step_commits_by_itself_and_completes_nothing(bench: Bench) -> None:
    async def script(job: Job[Work]) -> None:
        async with job.step() as tx:
            await insert_effect(tx, f"step {job.attempt_number}")
        if job.attempt_number == 1:
            raise ValueError("after the step")
        await write_effect(job)

    bench.handlers.script = script
    await bench.start()
    await bench.enqueue(Work(n=0))
    await bench.run_to_rest()

    assert await bench.read_effects() == ["step 1", "step 2", "0"]


async def test_a_batch_completes_what_was_not_failed(bench: Bench) -> None:
    async def handle(batch: Batch[Bulk]) -> None:
        for job in batch.jobs:
            if job.payload.note == "bad":
                batch.fail(job, ValueError("bad"))
        async with batch.transaction() as tx:
            for job in batch.jobs:
                if job.payload.note != "bad":
                    await insert_effect(tx, job.key)

    bench.handlers.bulk = handle
    await bench.enqueue(*(Bulk(n=n, note="bad" if n == 2 else "") for n in range(5)))
    await bench.start(concurrency=5)
    await bench.run_to_rest()

    assert await bench.count_states() == {"completed": 4, "dead": 1}
    assert sorted(await bench.read_effects()) == ["0", "1", "3", "4"]


async def test_a_job_that_fails_a_whole_batch_uses_no_attempt_of_its_neighbours(bench: Bench) -> None:
    async def handle(batch: Batch[Bulk]) -> None:
        if any(job.payload.note == "bad" for job in batch.jobs):
            raise ValueError("the whole request was refused")
        async with batch.transaction() as tx:
            for job in batch.jobs:
                await insert_effect(tx, job.key)

    bench.handlers.bulk = handle
    await bench.enqueue(*(Bulk(n=n, note="bad" if n == 6 else "") for n in range(8)))
    await bench.start(concurrency=8)
    await bench.run_to_rest()

    assert await bench.count_states() == {"completed": 7, "dead": 1}
    assert sorted(await bench.read_effects()) == ["0", "1", "2", "3", "4", "5", "7"]
    rows = await bench.pool.fetch("SELECT key, attempt FROM engine.jobs WHERE attempt > 0")
    assert [tuple(row) for row in rows] == [("6", 3)]


@pytest.mark.parametrize("statement", ["SELECT $1::int", "SELECT 1 / 0", "SELECT nothing"])
async def test_a_wrong_statement_of_a_handler_is_its_own_failure_and_no_outage(bench: Bench, statement: str) -> None:
    async def script(job: Job[Work]) -> None:
        async with job.transaction() as tx:
            await tx.connection.fetch(statement)

    bench.handlers.script = script
    await bench.start()
    await bench.enqueue(Work(n=0))

    await bench.wait_for_state("dead")
    assert await bench.read_outcomes() == ["failed"] * 3


async def test_each_job_of_a_batch_has_an_outcome_of_its_own(bench: Bench) -> None:
    async def bulk(batch: Batch[Bulk]) -> None:
        errors: dict[str, Exception] = {
            "fails": ValueError("bad"),
            "later": Snooze(timedelta(hours=1)),
            "outage": ProviderUnavailable("elsewhere", "closed"),
        }
        async with batch.transaction() as tx:
            for job in batch.jobs:
                if job.payload.note in errors:
                    batch.fail(job, errors[job.payload.note])
                else:
                    await insert_effect(tx, job.key)

    bench.handlers.bulk = bulk
    notes = ["", "fails", "later", "outage", ""]
    await bench.enqueue(*(Bulk(n=n, note=note) for n, note in enumerate(notes)))
    await bench.start()
    await bench.wait_for_state("dead")
    await bench.wait_for_state("completed", 2)

    rows = await bench.pool.fetch("SELECT state::text, attempt, snoozes, outages FROM engine.jobs ORDER BY key")
    assert [tuple(row) for row in rows] == [
        ("completed", 0, 0, 0),
        ("dead", 3, 0, 0),
        ("pending", 0, 1, 0),
        ("pending", 0, 0, 1),
        ("completed", 0, 0, 0),
    ]
    assert await bench.read_effects() == ["0", "4"]
    await bench.assert_consistent()


async def wait_for_beats(bench: Bench, count: int) -> None:
    """Until the worker has compared its rows with the ledger so often."""
    beat = "SELECT max(beat) FROM engine.workers"
    last = await bench.pool.fetchval(beat) + count

    async def reached() -> bool:
        return bool(await bench.pool.fetchval(beat) >= last)

    await bench.wait_until(reached, 20)


async def test_a_half_that_is_completed_is_no_lost_lease_while_the_other_half_runs(bench: Bench) -> None:
    async def handle(batch: Batch[Bulk]) -> None:
        if len(batch.jobs) > 1:
            raise ValueError("the whole request was refused")
        if batch.jobs[0].payload.n == 1:
            await wait_for_beats(bench, 6)
        async with batch.transaction() as tx:
            await insert_effect(tx, batch.jobs[0].key)

    bench.handlers.bulk = handle
    await bench.enqueue(Bulk(n=0), Bulk(n=1))
    await bench.start()
    await bench.run_to_rest(40)

    assert bench.handlers.batches == [["0", "1"], ["0"], ["1"]]
    assert await bench.read_effects() == ["0", "1"]
    assert await bench.pool.fetchval("SELECT max(attempt) FROM engine.jobs") == 0


async def test_a_cancelled_job_stops_its_batch_and_uses_no_attempt_of_the_half_that_runs(bench: Bench) -> None:
    stopped = asyncio.Event()

    async def handle(batch: Batch[Bulk]) -> None:
        if len(batch.jobs) > 1 or batch.jobs[0].payload.n == 0:
            raise ValueError("refused")
        if not stopped.is_set():
            stopped.set()
            await asyncio.Event().wait()
        async with batch.transaction() as tx:
            await insert_effect(tx, batch.jobs[0].key)

    bench.handlers.bulk = handle
    [first, _] = await bench.enqueue(Bulk(n=0), Bulk(n=1))
    await bench.start()
    async with asyncio.timeout(20):
        await stopped.wait()
    await bench.engine.cancel([first.job_id], OPERATOR)
    await bench.run_to_rest(40)

    rows = await bench.pool.fetch("SELECT key, state::text, attempt FROM engine.jobs ORDER BY key")
    assert [tuple(row) for row in rows] == [("0", "cancelled", 0), ("1", "completed", 0)]
