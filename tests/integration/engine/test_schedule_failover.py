"""A process that fires a schedule is killed, over and over: no instant is lost, and none makes two jobs."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import datetime, timedelta

from tests.support.engine import Bench
from tests.support.schedule_process import run_schedule_process

SECOND = timedelta(seconds=1)


async def list_instants(bench: Bench) -> list[datetime]:
    rows = await bench.pool.fetch("SELECT key FROM engine.jobs WHERE key LIKE 'tick@%' ORDER BY key")
    return [datetime.fromisoformat(row["key"].removeprefix("tick@")) for row in rows]


async def wait_for_more(bench: Bench) -> None:
    before = len(await list_instants(bench))

    async def fired() -> bool:
        return len(await list_instants(bench)) > before

    await bench.wait_until(fired)


async def test_no_instant_is_lost_or_doubled_while_leaders_are_killed(bench: Bench) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(2):
            process = await stack.enter_async_context(run_schedule_process(bench.database_url, bench.redis_url))
            await wait_for_more(bench)
            process.kill()
            await process.wait()
        # Nobody serves it now, until another process takes the lease over.
        await stack.enter_async_context(run_schedule_process(bench.database_url, bench.redis_url))
        await stack.enter_async_context(run_schedule_process(bench.database_url, bench.redis_url))
        await wait_for_more(bench)
        await wait_for_more(bench)

    instants = await list_instants(bench)
    assert instants == [instants[0] + n * SECOND for n in range(len(instants))]
    assert len(instants) >= 4
