"""Ending work that was asked to stop: at once where it waits, orderly in any case.

Invariant: what the work has opened is closed when `run_until` returns, however often it is interrupted meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def run_until(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The work's answer; None where `stop` was set first: then the work is cancelled, at whatever point it is.

    Being cancelled meanwhile cancels the work's clean-up too, which hurries it; it is awaited all the same.
    """
    task = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        await _end(task)
    return None if task.cancelled() else task.result()


async def serve_forever() -> None:
    """Never return; cancelling ends it."""
    await asyncio.Event().wait()


async def _end(task: asyncio.Task[Any]) -> None:
    hurried: asyncio.CancelledError | None = None
    task.cancel()
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            hurried = error
            task.cancel()
    if hurried is not None:
        if not task.cancelled():
            # The interruption is what counts now; asking for it keeps asyncio from complaining of it.
            task.exception()
        raise hurried
