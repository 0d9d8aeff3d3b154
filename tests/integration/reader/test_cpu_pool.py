"""The pool of processes: limits are kept, neighbours unharmed, nothing is left."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.support.cpu_work import (
    add,
    crash,
    crash_once,
    doze,
    eat_memory,
    fail,
    mark_process,
    spin,
    tell_mark,
    tell_process,
    wait_for_mark,
)
from tests.support.waiting import wait_until
from tournee.engine.worker.outcome import Snoozed, classify_error
from tournee.integrations.local.cpu_pool import CpuLimitExceeded, CpuOverloaded, CpuPool, CpuPoolConfig, PoolClosed


def list_workers() -> list[psutil.Process]:
    """Child processes that run work; neither Python's tracker of shared resources nor the session's servers."""
    return [child for child in psutil.Process().children(recursive=True) if _is_worker(child)]


def _is_worker(child: psutil.Process) -> bool:
    """False also for one that has ended since it was listed, as a server's processes do at any time."""
    try:
        return any("spawn_main" in word for word in child.cmdline())
    except psutil.Error:
        return False


@pytest.fixture
async def pool() -> AsyncIterator[CpuPool]:
    pool = CpuPool()
    yield pool
    await pool.close()


async def test_work_is_done_in_another_process(pool: CpuPool) -> None:
    assert await pool.run(add, 1, 2) == 3
    assert await pool.run(tell_process) != psutil.Process().pid


async def test_no_more_processes_than_allowed(pool: CpuPool) -> None:
    processes = await asyncio.gather(*(pool.run(tell_process) for _ in range(12)))
    assert len(set(processes)) <= 2


async def test_an_error_of_the_work_is_raised_as_it_is(pool: CpuPool) -> None:
    with pytest.raises(ValueError, match="not today"):
        await pool.run(fail)


@pytest.mark.usefixtures("patient")
async def test_work_above_its_time_is_killed_and_says_so(pool: CpuPool) -> None:
    with pytest.raises(CpuLimitExceeded, match=r"more than 0\.5 s"):
        await pool.run(spin, timeout_seconds=0.5)
    assert await pool.run(add, 1, 2) == 3


async def test_work_above_its_memory_fails_and_says_so(pool: CpuPool) -> None:
    with pytest.raises(CpuLimitExceeded, match="more than 1024 MiB"):
        await pool.run(eat_memory, 2 << 30)


async def test_work_that_kills_its_process_harms_no_neighbour(pool: CpuPool) -> None:
    results = await asyncio.gather(
        pool.run(crash), *(pool.run(add, 1, number) for number in range(20)), return_exceptions=True
    )
    assert isinstance(results[0], CpuLimitExceeded)
    assert "killed its process" in str(results[0])
    assert results[1:] == list(range(1, 21))


async def test_work_whose_process_was_killed_from_outside_is_done_again(pool: CpuPool, tmp_path: Path) -> None:
    assert await pool.run(crash_once, str(tmp_path / "mark")) == "done"


async def test_cancelling_kills_the_process_that_works(pool: CpuPool) -> None:
    running = asyncio.create_task(pool.run(spin, timeout_seconds=60))
    await wait_until(lambda: any(worker.cpu_times().user > 1.5 for worker in list_workers()))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await asyncio.gather(*(pool.run(add, 1, number) for number in range(4))) == [1, 2, 3, 4]


@pytest.mark.usefixtures("patient")
async def test_the_event_loop_is_not_blocked(pool: CpuPool) -> None:
    await pool.run(add, 1, 2)
    ticks = 0
    working = asyncio.create_task(pool.run(spin, timeout_seconds=0.5))
    while not working.done():
        await asyncio.sleep(0.005)
        ticks += 1
    with pytest.raises(CpuLimitExceeded):
        await working
    assert ticks > 20


async def test_closing_leaves_no_process_and_ends_what_runs() -> None:
    pool = CpuPool(CpuPoolConfig(workers=1))
    running = asyncio.create_task(pool.run(spin, timeout_seconds=60))
    waiting = asyncio.create_task(pool.run(add, 1, 2))
    await wait_until(lambda: bool(list_workers()))
    await pool.close()
    await pool.close()
    outcomes = await asyncio.gather(running, waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [PoolClosed, PoolClosed]
    assert list_workers() == []
    with pytest.raises(PoolClosed):
        await pool.run(add, 1, 2)


async def test_each_process_is_warmed_up_before_its_first_work() -> None:
    pool = CpuPool(CpuPoolConfig(workers=1, warm_up=mark_process))
    try:
        assert await pool.run(tell_mark) == "warm"
    finally:
        await pool.close()


async def test_a_process_that_cannot_be_warmed_up_works_all_the_same() -> None:
    pool = CpuPool(CpuPoolConfig(workers=1, warm_up=fail))
    try:
        assert await pool.run(add, 1, 2) == 3
    finally:
        await pool.close()


async def test_work_waits_for_a_slow_start_without_blame_and_finds_the_process_ready_later(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    pool = CpuPool(CpuPoolConfig(workers=1, warm_up=partial(wait_for_mark, str(mark)), start_seconds=0.3))
    try:
        with pytest.raises(CpuOverloaded, match="no process took the work up"):
            await pool.run(add, 1, 2)
        mark.touch()
        assert await wait_for_sum(pool) == 3
    finally:
        await pool.close()


async def wait_for_sum(pool: CpuPool) -> int:
    """What a job does that is put off: come again."""
    while True:
        with suppress(CpuOverloaded):
            return await pool.run(add, 1, 2)


def test_a_job_on_a_machine_that_is_too_busy_uses_no_attempt() -> None:
    overloaded = CpuOverloaded("too busy")
    assert classify_error(overloaded) == Snoozed(overloaded.delay)
    assert str(overloaded) == "too busy"


async def test_work_that_gets_no_processor_is_put_off_and_not_blamed(pool: CpuPool) -> None:
    with pytest.raises(CpuOverloaded, match=r"0\.3 s of work were not done in 1\.2 s"):
        await pool.run(doze, timeout_seconds=0.3)
    assert await pool.run(add, 1, 2) == 3


async def test_cancelling_amidst_the_start_leaves_nothing(recwarn: pytest.WarningsRecorder) -> None:
    faults: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: faults.append(context))
    for pause_seconds in (0.0, 0.001, 0.01, 0.05):
        pool = CpuPool()
        running = asyncio.create_task(pool.run(add, 1, 2))
        await asyncio.sleep(pause_seconds)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await pool.close()
    gc.collect()
    assert list_workers() == []
    assert (faults, list(recwarn)) == ([], [])
