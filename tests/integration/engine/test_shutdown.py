"""Shutdown: what runs may end, the rest is given back, and nothing is left in Redis."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from tests.support.engine import Bench, Work, write_effect
from tournee.engine.client import Job
from tournee.engine.worker import runner


async def assert_all_given_back(bench: Bench, count: int) -> None:
    assert await bench.count_states() == {"pending": count}
    rows = await bench.pool.fetch("SELECT attempt, crashes, suspect FROM engine.jobs")
    assert {tuple(row) for row in rows} == {(0, 0, False)}
    assert await bench.list_active() == []
    assert await bench.engine.read_workers() == []
    await bench.assert_consistent()


async def test_running_handlers_may_end_within_the_grace_period(bench: Bench) -> None:
    bench.handlers.gate.clear()
    worker = await bench.start()
    await bench.enqueue_work(4)
    await bench.wait_for_state("running", 4)

    stopping = asyncio.create_task(worker.stop(grace_seconds=60))
    await asyncio.sleep(0.1)
    assert not stopping.done()
    bench.handlers.gate.set()
    await stopping

    assert await bench.count_states() == {"completed": 4}
    assert await bench.list_active() == []


@pytest.mark.parametrize("grace_seconds", [0.0, 0.1])
async def test_what_does_not_end_in_time_is_released_without_an_attempt(bench: Bench, grace_seconds: float) -> None:
    bench.handlers.gate.clear()
    worker = await bench.start()
    await bench.enqueue_work(4)
    await bench.wait_for_state("running", 4)
    await bench.engine.stop()

    await worker.stop(grace_seconds)

    await assert_all_given_back(bench, 4)


async def test_jobs_that_were_claimed_in_the_instant_of_the_stop_are_released_too(bench: Bench) -> None:
    """Their tasks exist and have not run yet; a cancellation then must not lose them."""
    bench.handlers.gate.clear()
    await bench.enqueue_work(4)
    claim_jobs = bench.engine.store.claim_jobs
    claimed = asyncio.Event()

    async def tell(*arguments):  # type: ignore[no-untyped-def]
        jobs = await claim_jobs(*arguments)
        claimed.set()
        return jobs

    bench.engine.store.claim_jobs = tell  # type: ignore[method-assign]
    await bench.engine.start()
    await bench.wait_for_state("queued", 4)
    await bench.engine.stop()
    worker = await bench.add_worker(queues=("work",))
    await claimed.wait()
    await worker.stop(grace_seconds=0)

    await assert_all_given_back(bench, 4)


async def test_a_handler_that_swallows_its_cancellation_uses_no_attempt(bench: Bench) -> None:
    async def script(_job: Job[Work]) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    bench.handlers.script = script
    worker = await bench.start()
    await bench.enqueue(Work(n=0))
    await bench.wait_for_state("running")
    await bench.engine.stop()
    await worker.stop(grace_seconds=0)

    await assert_all_given_back(bench, 1)


async def test_a_handler_that_turns_its_cancellation_into_an_error_uses_no_attempt(bench: Bench) -> None:
    async def script(_job: Job[Work]) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionError("the request was interrupted") from None

    bench.handlers.script = script
    worker = await bench.start()
    await bench.enqueue(Work(n=0))
    await bench.wait_for_state("running")
    await bench.engine.stop()
    await worker.stop(grace_seconds=0)

    await assert_all_given_back(bench, 1)


async def test_a_handler_that_refuses_to_stop_is_left_behind_and_its_job_is_given_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "CANCEL_SECONDS", 0.2)
    end = asyncio.Event()
    lost: list[BaseException] = []

    async def script(job: Job[Work]) -> None:
        while not end.is_set():
            with suppress(asyncio.CancelledError):
                await end.wait()
        try:
            await write_effect(job)
        except Exception as error:
            lost.append(error)
            raise

    bench.handlers.script = script
    worker = await bench.start()
    await bench.enqueue(Work(n=0))
    await bench.wait_for_state("running")
    await bench.engine.stop()
    async with asyncio.timeout(60):
        await worker.stop(grace_seconds=0)

    await assert_all_given_back(bench, 1)
    end.set()

    async def was_refused() -> bool:
        return bool(lost)

    await bench.wait_until(was_refused)
    assert await bench.read_effects() == []


async def test_what_was_released_is_run_by_the_next_worker_at_once(bench: Bench) -> None:
    bench.handlers.gate.clear()
    worker = await bench.start()
    await bench.enqueue_work(4)
    await bench.wait_for_state("running", 4)
    await worker.stop(grace_seconds=0)
    bench.handlers.gate.set()
    await bench.add_worker()
    await bench.run_to_rest()

    assert await bench.count_states() == {"completed": 4}
    rows = await bench.pool.fetch("SELECT lease, attempt FROM engine.jobs")
    assert {tuple(row) for row in rows} == {(2, 0)}


async def test_a_worker_that_stops_under_load_loses_and_repeats_nothing(bench: Bench) -> None:
    async def script(job: Job[Work]) -> None:
        await asyncio.sleep(0.005)
        await write_effect(job)

    bench.handlers.script = script
    await bench.enqueue_work(200)
    await bench.engine.start()
    for _ in range(4):
        worker = await bench.add_worker(concurrency=6, queues=("work",))
        await asyncio.sleep(0.15)
        await worker.stop(grace_seconds=0.02)
        assert await bench.list_active() == []
    await bench.add_worker(concurrency=6, queues=("work",))
    await bench.run_to_rest()

    assert sorted(await bench.read_effects(), key=int) == [str(n) for n in range(200)]
    rows = await bench.pool.fetch("SELECT attempt, crashes, suspect FROM engine.jobs")
    assert {tuple(row) for row in rows} == {(0, 0, False)}
    await bench.assert_both_sides_agree()
