"""Watches how long the engine takes to recover from a lost Redis: the demo's stopwatch.

It starts when Redis is killed and stops when every queue's epoch in the ledger is a new one and Redis holds the
same. It only reads; a demo that never recovers is given up after a minute, and says so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from tournee.web.ports import DEAD_LETTERS, UNAVAILABLE, EngineDoor

_LOOK_SECONDS = 0.1
_GIVE_UP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Recovery:
    """One killed Redis. `seconds` is None until all queues are back; `epochs` maps a queue to (before, now)."""

    number: int
    started: float
    epochs: Mapping[str, tuple[int, int]]
    seconds: float | None = None
    given_up: bool = False

    @property
    def running(self) -> bool:
        return self.seconds is None and not self.given_up

    @property
    def elapsed_seconds(self) -> float:
        return self.seconds if self.seconds is not None else time.monotonic() - self.started


class RecoveryWatch:
    """Kills Redis on demand and measures the way back; one at a time."""

    def __init__(self, engine: EngineDoor, kill_redis: Callable[[], Awaitable[None]]) -> None:
        self._engine = engine
        self._kill = kill_redis
        self._task: asyncio.Task[None] | None = None
        self.latest: Recovery | None = None

    async def start(self) -> Recovery:
        """Kill Redis and begin to measure; while one is under way, answer that one."""
        if self.latest is not None and self.latest.running:
            return self.latest
        before = {
            str(row.ledger.queue): row.ledger.epoch
            for row in await self._engine.read_status()
            if row.ledger.queue != DEAD_LETTERS
        }
        number = self.latest.number + 1 if self.latest else 1
        self.latest = Recovery(number, time.monotonic(), {queue: (epoch, epoch) for queue, epoch in before.items()})
        self._task = asyncio.create_task(self._measure(before), name="recovery-watch")
        return self.latest

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _measure(self, before: Mapping[str, int]) -> None:
        try:
            await self._kill()
        except UNAVAILABLE:
            pass  # It is dead already, which is what was asked for.
        except Exception:
            assert self.latest is not None
            self.latest = replace(self.latest, given_up=True)
            raise
        while self.latest is not None and self.latest.running:
            with suppress(*UNAVAILABLE):
                self.latest = await self._look(before)
            if self.latest.running and self.latest.elapsed_seconds > _GIVE_UP_SECONDS:
                self.latest = replace(self.latest, given_up=True)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _look(self, before: Mapping[str, int]) -> Recovery:
        """The state of the way back, now."""
        assert self.latest is not None
        rows = {str(row.ledger.queue): row for row in await self._engine.read_status()}
        epochs = {queue: (epoch, rows[queue].ledger.epoch) for queue, epoch in before.items() if queue in rows}
        back = True
        for queue, (old, epoch) in epochs.items():
            redis = rows[queue].redis
            back = back and epoch > old and redis is not None and redis.epoch == epoch
        seconds = time.monotonic() - self.latest.started if back else None
        return replace(self.latest, epochs=epochs, seconds=seconds)
