"""One look at everything the first page shows, taken once for all who look.

Owns the comparison of ledger and Redis, the rates and the outages. Each part is read under a time limit of its own;
a part that can't be read keeps its last figures, and the snapshot says since when they are old. Reading never
raises for an outage.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

import structlog

from tournee.engine.client import BrokerDepth, QueueOverview, QueueStatus, ScheduleRow
from tournee.pipeline.store.console_job_rows import DeadLine, Provider, Worker
from tournee.pipeline.store.console_rows import Mailbox, NewsletterLine, Totals
from tournee.pipeline.store.console_waiting import Limits
from tournee.web.patience import read_within
from tournee.web.ports import DEAD_LETTERS, UNAVAILABLE, WebServices
from tournee.web.recovery import Recovery

_RATE_WINDOW_SECONDS = 10.0
_TOTALS_SECONDS = 5.0
_DRIFT_TOLERATED_SECONDS = 5.0
_LATEST_NEWSLETTERS = 20
_LATEST_DEAD = 5

_T = TypeVar("_T")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class QueueLine:
    """A queue in the ledger and in Redis. `drift` is (queued + running) less (wait + active); it is never zero for
    long under load, because the two sides are read one after the other, and `drifting` only when it stays."""

    ledger: QueueStatus
    redis: BrokerDepth | None
    finished_per_second: float
    drift: int | None
    drifting: bool
    limits: Limits | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the first page shows. `database_away_since` and `redis_away_since` are set while they don't answer."""

    number: int
    at: datetime
    queues: Sequence[QueueLine] = ()
    dead_total: int = 0
    dead_projected: int | None = None
    newsletters: Sequence[NewsletterLine] = ()
    dead: Sequence[DeadLine] = ()
    workers: Sequence[Worker] = ()
    providers: Sequence[Provider] = ()
    mailboxes: Sequence[Mailbox] = ()
    schedules: Sequence[ScheduleRow] = ()
    totals: Totals | None = None
    database_away_since: datetime | None = None
    redis_away_since: datetime | None = None
    recovery: Recovery | None = None

    @property
    def healthy(self) -> bool:
        return self.database_away_since is None and self.redis_away_since is None

    @property
    def live_workers(self) -> int:
        return sum(1 for worker in self.workers if is_alive(worker))


@dataclass(frozen=True, slots=True)
class _Ledger:
    """The part that PostgreSQL alone answers."""

    newsletters: Sequence[NewsletterLine] = ()
    dead: Sequence[DeadLine] = ()
    workers: Sequence[Worker] = ()
    providers: Sequence[Provider] = ()
    mailboxes: Sequence[Mailbox] = ()
    schedules: Sequence[ScheduleRow] = ()
    limits: Mapping[str, Limits] = field(default_factory=dict)


def is_alive(worker: Worker) -> bool:
    """Does it beat? Only the rescuer decides who is dead; this is what is shown."""
    return not worker.reported_dead and worker.silent_seconds < 30


@dataclass(slots=True)
class _Rates:
    """Jobs finished per second and queue, over the last seconds."""

    looks: deque[tuple[float, Mapping[str, int]]] = field(default_factory=deque)

    def note(self, queues: Sequence[QueueOverview]) -> None:
        now = time.monotonic()
        self.looks.append((now, {row.ledger.queue: row.ledger.completed + row.ledger.dead for row in queues}))
        while now - self.looks[0][0] > _RATE_WINDOW_SECONDS:
            self.looks.popleft()

    def read(self, queue: str) -> float:
        if len(self.looks) < 2:
            return 0.0
        (first, before), (last, after) = self.looks[0], self.looks[-1]
        # Pruning makes the count fall; that is no negative work.
        return max(0.0, (after.get(queue, 0) - before.get(queue, 0)) / max(last - first, 0.001))


class SnapshotReader:
    """Reads snapshots one after the other; remembers what rates, drift and outages need."""

    def __init__(self, services: WebServices, recovery: Callable[[], Recovery | None]) -> None:
        self._services = services
        self._recovery = recovery
        self._order = {queue: place for place, queue in enumerate(services.queue_order)}
        self._rates = _Rates()
        self._drift_since: dict[str, float] = {}
        self._ledger = _Ledger()
        self._queues: Sequence[QueueOverview] = ()
        self._totals: Totals | None = None
        self._totals_due = 0.0
        self._away: set[str] = set()
        self._latest = Snapshot(0, datetime.now(UTC))

    async def read(self) -> Snapshot:
        """Take one look; takes at most the read time-out."""
        # Whether PostgreSQL is there is judged by what it alone answers: the status asks Redis too.
        ledger, dead_letters, status, _ = await asyncio.gather(
            self._within_time("database", self._read_ledger),
            self._within_time("redis", self._read_dead_letters),
            self._within_time("status", self._read_status),
            self._within_time("totals", self._refresh_totals),
        )
        self._ledger = ledger or self._ledger
        if status is not None:
            self._queues = status
            self._rates.note(status)
        now = datetime.now(UTC)
        away = ledger is None or dead_letters is None or status is None
        self._latest = replace(
            self._latest,
            number=self._latest.number + 1,
            at=now if ledger is not None else self._latest.at,
            queues=[self._compare(row, comparable=not away) for row in self._queues],
            dead_total=sum(row.ledger.dead for row in self._queues),
            dead_projected=dead_letters.waiting if dead_letters is not None else None,
            newsletters=self._ledger.newsletters,
            dead=self._ledger.dead,
            workers=self._ledger.workers,
            providers=self._ledger.providers,
            mailboxes=self._ledger.mailboxes,
            schedules=self._ledger.schedules,
            totals=self._totals,
            database_away_since=None if ledger is not None else self._latest.database_away_since or now,
            redis_away_since=None if dead_letters is not None else self._latest.redis_away_since or now,
            recovery=self._recovery(),
        )
        return self._latest

    async def _within_time(self, part: str, read: Callable[[], Awaitable[_T]]) -> _T | None:
        try:
            answer = await read_within(read(), self._services.read_timeout_seconds)
        except UNAVAILABLE as error:
            if part not in self._away:
                _log.warning("console.part_away", part=part, error=repr(error))
            self._away.add(part)
            return None
        self._away.discard(part)
        return answer

    async def _read_dead_letters(self) -> BrokerDepth:
        return await self._services.engine.broker.read_depth(DEAD_LETTERS)

    async def _refresh_totals(self) -> None:
        # They count whole tables: the dearer the last count was, the longer it is kept.
        started = time.monotonic()
        if started < self._totals_due:
            return
        self._totals_due = started + 20 * self._services.read_timeout_seconds
        self._totals = await self._services.console.read_totals()
        now = time.monotonic()
        self._totals_due = now + max(_TOTALS_SECONDS, 20 * (now - started))

    async def _read_status(self) -> Sequence[QueueOverview]:
        rows = await self._services.engine.read_status()
        last = len(self._order)
        return sorted(
            (row for row in rows if row.ledger.queue != DEAD_LETTERS),
            key=lambda row: (self._order.get(row.ledger.queue, last), row.ledger.queue),
        )

    async def _read_ledger(self) -> _Ledger:
        console = self._services.console
        return _Ledger(
            newsletters=await console.list_flow(_LATEST_NEWSLETTERS),
            dead=await console.list_dead(limit=_LATEST_DEAD),
            workers=await console.list_workers(),
            providers=await console.list_providers(),
            mailboxes=await console.list_mailboxes(),
            schedules=await self._services.engine.schedules.list_rows(),
            limits={row.queue: row for row in await console.list_limits()},
        )

    def _compare(self, row: QueueOverview, *, comparable: bool) -> QueueLine:
        ledger, redis = row.ledger, row.redis
        drift = None
        if comparable and redis is not None:
            drift = ledger.queued + ledger.running - redis.waiting - redis.active
        drifting = self._is_drifting(ledger.queue, drift)
        limits = self._ledger.limits.get(ledger.queue)
        return QueueLine(ledger, redis, self._rates.read(ledger.queue), drift, drifting, limits)

    def _is_drifting(self, queue: str, drift: int | None) -> bool:
        if not drift:
            self._drift_since.pop(queue, None)
            return False
        since = self._drift_since.setdefault(queue, time.monotonic())
        return time.monotonic() - since > _DRIFT_TOLERATED_SECONDS
