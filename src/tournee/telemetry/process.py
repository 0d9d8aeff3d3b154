"""What a process can say of itself: how late its event loop is, its connections, what its worker holds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from tournee.db.pool import Pool
from tournee.engine.client import Engine
from tournee.telemetry import catalogue
from tournee.telemetry.meters import Meters, Sample

LOOK_SECONDS = 0.5


class LoopLag:
    """Measures how late the event loop wakes a task that asked to be woken."""

    def __init__(self, meters: Meters) -> None:
        self._lag = meters.measure(catalogue.LOOP_LAG)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._look_forever(), name="loop lag")

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _look_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LOOK_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
            self._lag.observe(max(0.0, loop.time() - due))


def read_pool(pool: Pool) -> Iterable[Sample]:
    """The pool's use."""
    size, idle = pool.get_size(), pool.get_idle_size()
    return [
        (catalogue.POOL_CONNECTIONS, ("used",), size - idle),
        (catalogue.POOL_CONNECTIONS, ("idle",), idle),
        (catalogue.POOL_LIMIT, (), pool.get_max_size()),
        (catalogue.POOL_WAITING, (), _count_waiting(pool)),
    ]


def _count_waiting(pool: Pool) -> int:
    # The driver does not tell; its queue of free connections knows who waits for one.
    getters = getattr(getattr(pool, "_queue", None), "_getters", ())
    return sum(1 for getter in list(getters) if not getter.done())


def read_load(engine: Engine) -> Iterable[Sample]:
    """What the process's workers hold, and may hold."""
    samples: list[Sample] = []
    for queue, (held, concurrency) in engine.read_load().items():
        samples += [
            (catalogue.WORKER_JOBS, (queue,), held),
            (catalogue.WORKER_CONCURRENCY, (queue,), concurrency),
        ]
    return samples
