"""What a handler tells while it works: shown where Bull Board looks, read here with Node's own BullMQ."""

from __future__ import annotations

import asyncio

from tests.integration.broker.test_node_reads_our_queues import read_with_node
from tests.support.engine import Bench, Work, write_effect
from tournee.engine.client import Job


async def test_the_board_sees_progress_and_lines_of_a_running_job(bench: Bench) -> None:
    told, gate = asyncio.Event(), asyncio.Event()

    async def script(job: Job[Work]) -> None:
        await job.progress(0.4)
        await job.log("read 2 of 5")
        await job.log("x" * 5_000)
        told.set()
        await gate.wait()
        await write_effect(job)

    bench.handlers.script = script
    await bench.start(concurrency=1, queues=("work",))
    await bench.enqueue(Work(n=0))
    await told.wait()

    seen = await read_with_node(bench.redis_url, "work")
    [active] = seen["active"]
    assert active["progress"] == 40
    assert active["id"].startswith("j")
    assert seen["logs"] == ["read 2 of 5", "x" * 2_000]
    gate.set()
    await bench.run_to_rest()
