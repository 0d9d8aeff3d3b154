"""How long a request waits for a store: so long, and not a moment longer.

A time limit around the read would not do. The driver waits for the server to confirm that a statement is given up, and
one that hangs confirms nothing for as long as a statement may take; so whoever asks goes on, and the read ends by
itself. It holds its connection till then: the pool bounds how many there are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

_T = TypeVar("_T")


async def read_within(reading: Awaitable[_T], seconds: float) -> _T:
    """What is read, or `TimeoutError`. The read is cancelled then, and nobody waits until it has heard."""
    task = asyncio.ensure_future(reading)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        _abandon(task)
        raise
    if not done:
        _abandon(task)
        raise TimeoutError
    return task.result()


def _abandon(task: asyncio.Future[Any]) -> None:
    task.cancel()
    # An error that nobody reads would be complained about.
    task.add_done_callback(lambda ended: None if ended.cancelled() else ended.exception())
