"""The system as the stores have it: one look for all who scrape, told by the API process alone.

Keeps: a look takes at most `LOOK_SECONDS`, whatever hangs; what is dear to read is read rarely; a store that is away
leaves `tournee_up` at 0 and its figures out, so that nobody takes old ones for new.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tournee.db.pool import Pool
from tournee.engine.client import (
    BrokerDepth,
    Engine,
    ProviderRow,
    QueueName,
    QueueStatus,
    WorkerRow,
)
from tournee.engine.core.breaker import BreakerState
from tournee.engine.core.job import DEAD_LETTERS
from tournee.pipeline.store.console import ConsoleStore
from tournee.pipeline.store.freshness import Freshness, read_freshness
from tournee.telemetry import catalogue
from tournee.telemetry.kept_read import KeptRead
from tournee.telemetry.meters import Sample, flag_states, spread

LOOK_SECONDS = 3.0
PART_SECONDS = 2.0
SILENT_SECONDS = 30.0
MICROCENTS_PER_CENT = 1_000_000


class SystemReader:
    """Looks at both stores when it is asked to, one look at a time."""

    def __init__(self, engine: Engine, pool: Pool) -> None:
        self._engine = engine
        console = ConsoleStore(pool)
        # Whether a store answers is asked anew each time; what it answers may be a little older.
        self._postgresql = KeptRead(lambda: _confirm(console.ping()), 0.0, PART_SECONDS, cost_factor=0)
        self._redis = KeptRead(
            lambda: _confirm(engine.broker.read_depth(DEAD_LETTERS)), 0.0, PART_SECONDS, cost_factor=0
        )
        self._ledger = KeptRead(engine.read_ledger, 1.0, PART_SECONDS)
        self._depths = KeptRead(self._read_depths, 1.0, PART_SECONDS)
        self._providers = KeptRead(engine.read_providers, 1.0, PART_SECONDS)
        self._workers = KeptRead(engine.read_workers, 1.0, PART_SECONDS)
        self._freshness = KeptRead(lambda: read_freshness(pool), 5.0, PART_SECONDS)
        self._totals = KeptRead(console.read_totals, 5.0, PART_SECONDS)
        reads: tuple[KeptRead[Any], ...] = (
            self._postgresql,
            self._redis,
            self._ledger,
            self._depths,
            self._providers,
            self._workers,
            self._freshness,
            self._totals,
        )
        self._reads = reads
        self._looking: asyncio.Task[None] | None = None

    async def look(self) -> None:
        """Refresh what is due. Whoever comes while a look is under way waits for that one."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        await asyncio.wait({self._looking}, timeout=LOOK_SECONDS)

    async def stop(self) -> None:
        """End a look that is under way."""
        for read in self._reads:
            read.stop()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking}, timeout=LOOK_SECONDS)

    async def _look(self) -> None:
        await asyncio.gather(*(read.refresh() for read in self._reads))

    async def _read_depths(self) -> dict[QueueName, BrokerDepth]:
        queues = [*(queue.name for queue in self._engine.registry.queues), DEAD_LETTERS]
        depths = await asyncio.gather(*(self._engine.broker.read_depth(queue) for queue in queues))
        return dict(zip(queues, depths, strict=True))

    def read_samples(self) -> Iterable[Sample]:
        """What the last look found."""
        postgresql, redis = self._postgresql.answer is True, self._redis.answer is True
        depths = self._depths.answer if redis and self._depths.answer is not None else {}
        samples: list[Sample] = [
            (catalogue.UP, ("postgresql",), float(postgresql)),
            (catalogue.UP, ("redis",), float(redis)),
            *((catalogue.WINDOW_LIMIT, (queue,), limit) for queue, limit in self._engine.read_windows().items()),
        ]
        for queue, depth in depths.items():
            samples += _tell_depth(queue, depth)
        return [*samples, *self._tell_ledger(depths)] if postgresql else samples

    def _tell_ledger(self, depths: Mapping[QueueName, BrokerDepth]) -> list[Sample]:
        samples: list[Sample] = []
        for status in self._ledger.answer or ():
            samples += _tell_queue(status)
            depth = depths.get(status.queue)
            if depth is not None:
                drift = abs(depth.waiting + depth.active - status.queued - status.running)
                samples.append((catalogue.DRIFT, (status.queue,), drift))
        for provider in self._providers.answer or ():
            samples += _tell_provider(provider)
        samples += self._tell_workers(self._workers.answer)
        samples += self._tell_freshness(self._freshness.answer)
        samples += self._tell_totals()
        if self._ledger.read_at is not None:
            samples.append((catalogue.SCRAPE_AGE, (), max(0.0, time.monotonic() - self._ledger.read_at)))
        return samples

    def _tell_workers(self, workers: Sequence[WorkerRow] | None) -> list[Sample]:
        if workers is None:
            return []
        counts = {"serving": 0, "stopping": 0, "silent": 0}
        now = datetime.now(UTC)
        for worker in workers:
            silent = worker.reported_dead or (now - worker.beat_at).total_seconds() > SILENT_SECONDS
            counts["silent" if silent else "stopping" if worker.stopping else "serving"] += 1
        return spread(catalogue.WORKERS, counts)

    def _tell_freshness(self, freshness: Freshness | None) -> list[Sample]:
        if freshness is None:
            return []
        told = [
            (catalogue.TIME_TO_SEARCH, ("0.5",), freshness.median_seconds),
            (catalogue.TIME_TO_SEARCH, ("0.95",), freshness.p95_seconds),
            (catalogue.SYNC_AGE, (), freshness.stalest_seconds),
        ]
        return [(metric, labels, figure) for metric, labels, figure in told if figure is not None]

    def _tell_totals(self) -> list[Sample]:
        totals = self._totals.answer
        if totals is None:
            return []
        return [
            *spread(catalogue.MESSAGES, totals.classes),
            *spread(catalogue.NEWSLETTERS, totals.states),
            (catalogue.ANALYSES, (), totals.analyses),
            (catalogue.CACHE_HITS, (), totals.cache_hits),
            (catalogue.TOKENS, ("in",), totals.tokens_in),
            (catalogue.TOKENS, ("out",), totals.tokens_out),
            (catalogue.COST, (), totals.cost_microcents / MICROCENTS_PER_CENT),
            (catalogue.DELIVERIES, (), totals.delivered),
        ]


async def _confirm(asking: Awaitable[object]) -> bool:
    await asking
    return True


def _tell_queue(status: QueueStatus) -> list[Sample]:
    queue = status.queue
    states = ("pending", "queued", "running", "completed", "dead", "cancelled")
    since = status.oldest_pending_at
    age = (datetime.now(UTC) - since).total_seconds() if since is not None else 0.0
    return [
        *spread(catalogue.LEDGER_JOBS, {state: getattr(status, state) for state in states}, queue),
        (catalogue.LEDGER_SCHEDULED, (queue,), status.scheduled),
        (catalogue.WINDOW, (queue,), status.queued + status.running),
        (catalogue.OLDEST_READY, (queue,), max(0.0, age)),
        (catalogue.QUEUE_PAUSED, (queue,), float(status.paused)),
    ]


def _tell_depth(queue: str, depth: BrokerDepth) -> list[Sample]:
    states = ("waiting", "active", "failed", "completed")
    return spread(catalogue.REDIS_JOBS, {state: getattr(depth, state) for state in states}, queue)


def _tell_provider(provider: ProviderRow) -> list[Sample]:
    return [
        *flag_states(catalogue.BREAKER_STATE, provider.name, BreakerState, provider.state),
        (catalogue.BREAKER_FAILURES, (provider.name,), provider.failures),
    ]
