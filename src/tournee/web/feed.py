"""One snapshot a second, shared by all who watch.

Invariant: however many streams are open, the stores are read once per interval, and not at all while nobody
watches. A slow watcher misses snapshots, it never queues them. `close` ends every stream at once, so that a
server that shuts down doesn't wait for browsers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress

import structlog

from tournee.web.snapshot import Snapshot

_log = structlog.get_logger(__name__)


class Feed:
    """Takes snapshots while somebody watches, and for a page when the last one is older than the interval."""

    def __init__(self, read: Callable[[], Awaitable[Snapshot]], interval_seconds: float, max_streams: int) -> None:
        self._read = read
        self._interval = interval_seconds
        self._max_streams = max_streams
        self._watchers = 0
        self._closed = False
        self._changed = asyncio.Event()
        self._nudged = asyncio.Event()
        self._reading = asyncio.Lock()
        self._latest: Snapshot | None = None
        self._taken = -interval_seconds
        self._task: asyncio.Task[None] | None = None

    @property
    def watchers(self) -> int:
        return self._watchers

    @property
    def is_full(self) -> bool:
        """No further stream is let in: there are too many, or the server is going down."""
        return self._closed or self._watchers >= self._max_streams

    async def read_latest(self) -> Snapshot:
        """A snapshot no older than the interval; concurrent callers share one look."""
        async with self._reading:
            if self._latest is None or time.monotonic() - self._taken >= self._interval:
                await self._take()
            assert self._latest is not None
            return self._latest

    async def watch(self) -> AsyncGenerator[Snapshot, None]:
        """The latest snapshot, then each newer one, until `close`. Leaving the loop unsubscribes."""
        self._watchers += 1
        try:
            self._ensure_running()
            snapshot = await self.read_latest()
            while not self._closed:
                yield snapshot
                while snapshot is self._latest and not self._closed:
                    await self._changed.wait()
                assert self._latest is not None
                snapshot = self._latest
        finally:
            self._watchers -= 1

    def nudge(self) -> None:
        """Somebody changed something: look again now."""
        self._taken = -self._interval
        self._nudged.set()

    def close(self) -> None:
        """End all streams and let no new one in."""
        self._closed = True
        self._changed.set()
        self._nudged.set()

    async def stop(self) -> None:
        """Close, and wait until nothing is being read any more."""
        self.close()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def _ensure_running(self) -> None:
        if not self._closed and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._run(), name="console-feed")

    async def _run(self) -> None:
        while self._watchers and not self._closed:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._nudged.wait(), self._interval)
            self._nudged.clear()
            await self._refresh()

    async def _refresh(self) -> None:
        if self._closed:
            return
        async with self._reading:
            try:
                await self._take()
            except Exception:
                # The streams outlive a fault of ours; a page that is loaded reports it.
                _log.exception("console.snapshot_failed")

    async def _take(self) -> None:
        self._latest = await self._read()
        self._taken = time.monotonic()
        self._changed.set()
        self._changed = asyncio.Event()
