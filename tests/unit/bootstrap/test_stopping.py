"""Work ends when it is told to stop, and what it opened is closed first."""

from __future__ import annotations

import asyncio

import pytest

from tournee.bootstrap.stopping import run_until, serve_forever


class Work:
    """Opens, waits, and takes its time to close until it is hurried."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.closing = asyncio.Event()
        self.closed = False

    async def run(self) -> str:
        self.opened.set()
        try:
            await serve_forever()
        finally:
            self.closing.set()
            try:
                await asyncio.sleep(0)
            finally:
                self.closed = True
        return "never"

    async def run_slowly_to_its_end(self) -> None:
        try:
            await self.run()
        finally:
            self.closed = False
            try:
                await serve_forever()
            finally:
                self.closed = True


async def test_the_answer_of_work_that_ends_by_itself_is_passed_on() -> None:
    async def answer() -> int:
        return 7

    assert await run_until(asyncio.Event(), answer()) == 7


async def test_an_error_of_the_work_is_passed_on() -> None:
    async def fail() -> None:
        raise ValueError("odd")

    with pytest.raises(ValueError, match="odd"):
        await run_until(asyncio.Event(), fail())


async def test_stop_ends_work_wherever_it_waits_and_lets_it_close() -> None:
    work, stop = Work(), asyncio.Event()
    running = asyncio.create_task(run_until(stop, work.run()))
    await work.opened.wait()
    stop.set()
    assert await running is None
    assert work.closed


async def test_a_second_interruption_hurries_the_closing_and_waits_for_it() -> None:
    work, stop = Work(), asyncio.Event()
    running = asyncio.create_task(run_until(stop, work.run_slowly_to_its_end()))
    await work.opened.wait()
    stop.set()
    await work.closing.wait()
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 60)
    assert work.closed
