"""A background service: one run after the other, until stopped.

Lifecycle contract: `start` returns at once; `stop` ends a wait at once, lets a run in progress finish within the
time limit, and returns when nothing of it runs any more. A run that fails is logged and tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from tournee.engine.ports import BrokerUnavailable, LedgerContended, LedgerUnavailable

log = structlog.get_logger(__name__)

STOP_SECONDS = 5.0


class Service:
    """Calls `run_once` every `interval_seconds`, and at once when nudged, at most every `pause_seconds`."""

    def __init__(
        self,
        name: str,
        run_once: Callable[[], Awaitable[None]],
        interval_seconds: float,
        pause_seconds: float = 0.0,
    ) -> None:
        self.name = name
        self._run_once = run_once
        self._interval_seconds = interval_seconds
        self._pause_seconds = pause_seconds
        self._nudged = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def nudge(self) -> None:
        """Run soon."""
        self._nudged.set()

    def start(self) -> None:
        """Begin."""
        self._stopping.clear()
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        """End; see the module's contract."""
        if self._task is None:
            return
        self._stopping.set()
        self._nudged.set()
        done, _ = await asyncio.wait({self._task}, timeout=STOP_SECONDS)
        if not done:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._task = None

    async def _run(self) -> None:
        while not self._stopping.is_set():
            self._nudged.clear()
            try:
                await self._run_once()
            except (LedgerUnavailable, LedgerContended, BrokerUnavailable) as error:
                log.warning("service waits for a store", service=self.name, error=str(error))
            except Exception:
                log.exception("service failed and goes on", service=self.name)
            if self._pause_seconds:
                await self._wait(self._stopping, self._pause_seconds)
            await self._wait(self._nudged, self._interval_seconds)

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()


def drop_answer(run: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    """A run whose answer nobody reads."""

    async def run_once() -> None:
        await run()

    return run_once
