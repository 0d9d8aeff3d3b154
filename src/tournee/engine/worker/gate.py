"""A suspect runs alone in its process.

Keeps invariant 9: while a suspect runs, nothing else of this process does, so that a crash is its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class SuspectGate:
    """Many jobs together, or one suspect alone. A waiting suspect holds back those that come after it."""

    def __init__(self) -> None:
        self._together = 0
        self._alone = False
        self._waiting = 0
        self._waiters: set[asyncio.Future[None]] = set()

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """Run beside others, unless a suspect runs or waits."""
        await self._wait_until(lambda: not self._alone and not self._waiting)
        self._together += 1
        try:
            yield
        finally:
            self._together -= 1
            self._wake()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Run with nothing beside."""
        self._waiting += 1
        try:
            await self._wait_until(lambda: not self._alone and not self._together)
            self._alone = True
        finally:
            self._waiting -= 1
            self._wake()
        try:
            yield
        finally:
            self._alone = False
            self._wake()

    async def _wait_until(self, ready: Callable[[], bool]) -> None:
        while not ready():
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
