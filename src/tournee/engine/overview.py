"""Every queue at one moment: ledger and Redis side by side.

Owns what a look costs. Keeps: a look answers without Redis' figures while Redis is away, and counting finished jobs,
which reads the whole ledger, never takes more than a twentieth of the time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from tournee.engine.core.job import QueueName
from tournee.engine.ports import Broker, BrokerDepth, BrokerUnavailable, JobStore, QueueOverview, QueueStatus

KEPT_FOR = 20
"""Counts of finished jobs are kept for so many times as long as they took."""


class Overview:
    """Reads the state of all queues; one per process, so that what is dear is read once."""

    def __init__(self, store: JobStore, broker: Broker) -> None:
        self._store = store
        self._broker = broker
        self._finished: dict[QueueName, QueueStatus] = {}
        self._finished_until = 0.0

    async def read_ledger(self) -> Sequence[QueueStatus]:
        """Every queue as the ledger sees it."""
        finished = await self._read_finished()
        return [
            replace(status, completed=kept.completed, cancelled=kept.cancelled)
            if (kept := finished.get(status.queue)) is not None
            else status
            for status in await self._store.read_status(finished=False)
        ]

    async def read_status(self) -> Sequence[QueueOverview]:
        """Every queue, ledger and Redis side by side."""
        ledger = await self.read_ledger()
        depths = await self._read_depths([status.queue for status in ledger])
        return [QueueOverview(status, depths.get(status.queue)) for status in ledger]

    async def _read_finished(self) -> dict[QueueName, QueueStatus]:
        now = time.monotonic()
        if now >= self._finished_until:
            self._finished = {row.queue: row for row in await self._store.read_status(finished=True)}
            self._finished_until = time.monotonic() + KEPT_FOR * (time.monotonic() - now)
        return self._finished

    async def _read_depths(self, queues: Sequence[QueueName]) -> dict[QueueName, BrokerDepth]:
        try:
            depths = await asyncio.gather(*(self._broker.read_depth(queue) for queue in queues))
        except BrokerUnavailable:
            return {}
        return dict(zip(queues, depths, strict=True))
