"""Cancel: at once where nothing runs, by asking where something does, and nothing of it stays behind."""

from __future__ import annotations

import asyncio

from tests.integration.engine.test_relay import make_relay
from tests.support.engine import OPERATOR, WORK, Bench, Work
from tournee.engine.client import Job, JobState
from tournee.engine.ports import Room


async def test_a_pending_job_is_cancelled_at_once_and_never_runs(bench: Bench) -> None:
    [answer] = await bench.enqueue(Work(n=0))

    states = await bench.engine.cancel([answer.job_id], OPERATOR)

    assert states == {answer.job_id: JobState.CANCELLED}
    await bench.assert_consistent()
    assert [job.key for job in bench.handlers.dead] == ["0"]


async def test_a_queued_job_is_cancelled_and_its_entry_goes(bench: Bench) -> None:
    [answer] = await bench.enqueue(Work(n=0))
    await make_relay(bench).fill()
    await bench.engine.cancel([answer.job_id], OPERATOR)

    await bench.start()
    await bench.enqueue(Work(n=1))
    await bench.run_to_rest()

    assert bench.handlers.started == ["1"]
    await bench.assert_consistent()
    await bench.assert_both_sides_agree()


async def test_a_running_job_is_asked_to_stop(bench: Bench) -> None:
    bench.handlers.gate.clear()
    await bench.start()
    [answer] = await bench.enqueue(Work(n=0))
    await bench.wait_for_state("running")

    assert await bench.engine.cancel([answer.job_id], OPERATOR) == {answer.job_id: JobState.RUNNING}
    await bench.wait_for_state("cancelled")

    assert (await bench.show()).attempt == 0
    assert await bench.read_effects() == ["dead 0"]
    await bench.assert_consistent()
    await bench.assert_both_sides_agree()


async def test_a_running_job_of_another_process_is_stopped_by_its_heartbeat(bench: Bench) -> None:
    bench.handlers.gate.clear()
    await bench.start()
    [answer] = await bench.enqueue(Work(n=0))
    await bench.wait_for_state("running")

    await bench.engine.store.cancel_jobs([answer.job_id], OPERATOR, lambda _kind: None)
    await bench.wait_for_state("cancelled")


async def test_a_job_that_fails_after_it_was_asked_to_stop_does_not_run_again(bench: Bench) -> None:
    async def script(job: Job[Work]) -> None:
        await bench.engine.store.cancel_jobs([job.id], OPERATOR, lambda _kind: None)
        raise ValueError("before the heartbeat saw it")

    bench.handlers.script = script
    await bench.start(heartbeat_seconds=10)
    await bench.enqueue(Work(n=0))
    await bench.wait_for_state("cancelled")

    assert bench.handlers.started == ["0"]
    await bench.assert_consistent()


async def test_a_finished_job_is_not_cancelled(bench: Bench) -> None:
    await bench.start()
    [answer] = await bench.enqueue(Work(n=0))
    await bench.run_to_rest()

    assert await bench.engine.cancel([answer.job_id], OPERATOR) == {}
    assert (await bench.show()).state is JobState.COMPLETED


async def test_a_cancel_that_waited_for_a_mark_leaves_nothing_in_flight(bench: Bench) -> None:
    """The mark holds the rows while the cancel begins: what it wrote beside them must be seen all the same."""
    answers = await bench.enqueue_work(3)
    cancelling: asyncio.Task[object] | None = None
    transaction = bench.engine.store.session.transaction

    async def cancel_waits() -> bool:
        return bool(await bench.pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))

    async with transaction() as connection:
        await connection.execute(
            """
            WITH moved AS (UPDATE engine.jobs SET state = 'queued', dispatch = 1 RETURNING queue, id),
                 gone AS (DELETE FROM engine.ready)
            INSERT INTO engine.inflight SELECT * FROM moved
            """
        )
        cancelling = asyncio.create_task(bench.engine.cancel([answer.job_id for answer in answers], OPERATOR))
        await bench.wait_until(cancel_waits)
    await cancelling

    assert await bench.count_states() == {"cancelled": 3}
    await bench.assert_consistent()


async def test_cancels_and_marks_at_once_leave_both_sides_consistent(bench: Bench) -> None:
    answers = await bench.enqueue_work(200)
    ids = [answer.job_id for answer in answers]

    async def mark() -> None:
        for _ in range(10):
            marked = await bench.engine.store.mark_queued(WORK, Room(200))
            await bench.engine.store.return_queued([job.id for job in marked.jobs[::2]])

    async def cancel() -> None:
        for start in range(0, 200, 10):
            await bench.engine.cancel(ids[start : start + 10], OPERATOR)

    await asyncio.gather(mark(), cancel(), mark())
    assert await bench.count_states() == {"cancelled": 200}
    await bench.assert_consistent()
