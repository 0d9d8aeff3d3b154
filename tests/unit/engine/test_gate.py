"""A suspect runs alone."""

from __future__ import annotations

import asyncio

from tournee.engine.worker.gate import SuspectGate


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_waiting_suspect_holds_back_those_that_come_after_it() -> None:
    gate, order, first_may_end = SuspectGate(), [], asyncio.Event()

    async def run_first() -> None:
        async with gate.together():
            order.append("first")
            await first_may_end.wait()

    async def run_suspect() -> None:
        async with gate.alone():
            order.append("suspect")

    async def run_late() -> None:
        async with gate.together():
            order.append("late")

    tasks = [asyncio.create_task(run()) for run in (run_first, run_suspect)]
    await settle()
    tasks.append(asyncio.create_task(run_late()))
    await settle()
    assert order == ["first"]
    first_may_end.set()
    await asyncio.gather(*tasks)

    assert order == ["first", "suspect", "late"]


async def test_a_suspect_that_stops_waiting_lets_the_others_in() -> None:
    gate, end = SuspectGate(), asyncio.Event()

    async def hold() -> None:
        async with gate.together():
            await end.wait()

    async def suspect() -> None:
        async with gate.alone():
            raise AssertionError("it never got in")

    holder = asyncio.create_task(hold())
    await settle()
    waiting = asyncio.create_task(suspect())
    await settle()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    async with asyncio.timeout(60), gate.together():
        pass
    end.set()
    await holder
