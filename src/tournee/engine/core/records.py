"""The records that travel between the stores and those who use them: what was asked for, what was found.

Owns their shape. They hold no behaviour beyond reading themselves, and refuse to know where they are stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tournee.engine.core.job import DeadJob, Dispatchable, DispatchId, JobId, JobState, QueueName, WorkerId
from tournee.engine.core.limits import NO_LIMITS, QueueLimits


@dataclass(frozen=True, slots=True)
class Finished:
    """One held job to be finished in BullMQ. Its outcome is in the ledger already.

    `kept` False removes the job's hash (retry, park, release); True leaves it in the board's completed or
    failed set, whose length is bounded.
    """

    id: DispatchId
    token: str
    succeeded: bool
    kept: bool
    return_value: str | None = None
    failed_reason: str | None = None
    stack_trace: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Fetched:
    """A job that BullMQ moved to `active` for us, locked under `token`. It may not run before it is claimed.

    `id` is None for an entry that the engine did not make; `raw_id` names it so that it can be discarded.
    """

    id: DispatchId | None
    raw_id: str
    token: str


@dataclass(frozen=True, slots=True)
class BrokerDepth:
    """Lengths of a queue's lists and sets in Redis, and the epoch its sentinel holds (None: missing)."""

    waiting: int
    active: int
    failed: int
    completed: int
    epoch: int | None


@dataclass(frozen=True, slots=True)
class BrokerSnapshot:
    """One atomic look at a queue's wait and active lists.

    An id in `active` counts as present only while its lock exists, so `present` holds all of wait and the
    locked part of active; `unlocked` is the rest of active. `foreign` are ids that the engine did not make.
    """

    present: frozenset[DispatchId]
    unlocked: frozenset[DispatchId]
    foreign: frozenset[str]
    epoch: int | None


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """One queue as the ledger sees it, for status, console and metrics."""

    queue: QueueName
    priority: str
    provider: str | None
    paused: bool
    breaker: str
    pending: int
    scheduled: int
    """Of `pending`: not due yet."""
    queued: int
    running: int
    completed: int
    dead: int
    cancelled: int
    oldest_pending_at: datetime | None
    epoch: int


@dataclass(frozen=True, slots=True)
class QueueDeclaration:
    """A queue to be known to the ledger."""

    name: QueueName
    priority: str = "medium"
    provider: str | None = None
    max_attempts: int | None = None
    """Attempts in all for new jobs of this queue; None: as their payload type says."""
    limits: QueueLimits = NO_LIMITS


@dataclass(frozen=True, slots=True)
class Gate:
    """What the relay must know of a queue before it fills it."""

    paused: bool
    provider: str | None
    breaker: str
    breaker_due: bool
    """An open breaker whose time has come: half-open it."""
    closed_for_seconds: float | None
    """How long a breaker that was open is closed again; None: it never opened, or is not closed."""
    epoch: int
    concurrency: int
    consumed_per_second: float
    concurrency_limit: int | None = None
    """How many rows of the queue may be in flight, whatever its window."""
    limited: bool = False
    """Whether that or a limit per tenant holds rows back: then each settled job may make room."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many rows of a queue may be in flight, queued and running together."""

    limit: int
    urgent_reserve: int = 0
    """How many may stand beyond the limit, at the front."""
    provider: str | None = None
    """A half-open breaker's limit is one for all queues of its provider: they are counted together."""


@dataclass(frozen=True, slots=True)
class Marked:
    """What a mark took, in the order in which it must be added, and how many there was room for."""

    jobs: Sequence[Dispatchable]
    wanted: int
    busy: bool = False
    """Another relay was filling this queue, or it was paused, or its breaker turned, since the relay looked."""
    token_seconds: float | None = None
    """In how long a rate lets something through again that it held back now; None: it held nothing back."""


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """One process as it announced itself."""

    id: WorkerId
    name: str
    host: str
    pid: int
    queues: Mapping[str, Mapping[str, float]]
    beat: int
    beat_at: datetime
    started_at: datetime
    stopping: bool
    reported_dead: bool


@dataclass(frozen=True, slots=True)
class HeldClaim:
    """A running row that bears our worker id."""

    job_id: JobId
    lease: int
    cancel_requested: bool


@dataclass(frozen=True, slots=True)
class Rescued:
    """What a rescue did: rows back to pending, and rows that died of their crashes."""

    returned: Sequence[JobId]
    dead: Sequence[DeadJob]


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """A breaker as it stands in the ledger."""

    name: str
    state: str
    failures: int
    openings: int
    reason: str | None
    opened_at: datetime | None
    retry_at: datetime | None


@dataclass(frozen=True, slots=True)
class Operator:
    """Who acts, and why: written to the audit log with the filter that chose the jobs."""

    name: str
    reason: str = ""
    filter: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class JobRow:
    """A ledger row, whole."""

    id: JobId
    queue: QueueName
    key: str
    kind: str
    version: int
    tenant: str
    priority: int
    payload: Mapping[str, Any]
    state: JobState
    attempt: int
    max_attempts: int
    crashes: int
    outages: int
    snoozes: int
    dispatch: int
    lease: int
    suspect: bool
    cancel_requested: bool
    worker_id: WorkerId | None
    run_at: datetime
    created_at: datetime
    dispatched_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    trace_context: str | None


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt that did not succeed."""

    job_id: JobId
    lease: int
    worker_id: WorkerId | None
    started_at: datetime | None
    finished_at: datetime
    outcome: str
    error_class: str
    message: str
    stack: str


@dataclass(frozen=True, slots=True)
class JobQuery:
    """Which ledger rows; None means any. The newest come first; `below_id` goes on where a page ended."""

    queue: QueueName | None = None
    states: Sequence[JobState] | None = None
    kind: str | None = None
    key: str | None = None
    """A part of the key."""
    tenant: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    ids: Sequence[int] | None = None
    below_id: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class DeadQuery:
    """Which dead letters; None means any. The latest come first."""

    queue: QueueName | None = None
    kind: str | None = None
    key: str | None = None
    """A part of the key."""
    tenant: str | None = None
    error: str | None = None
    """A part of the last error's class or message."""
    died_after: datetime | None = None
    died_before: datetime | None = None
    ids: Sequence[int] | None = None
    limit: int = 100
    offset: int = 0


@dataclass(frozen=True, slots=True)
class QueueOverview:
    """A queue, ledger and Redis side by side. `redis` is None while Redis is away."""

    ledger: QueueStatus
    redis: BrokerDepth | None

    @property
    def drift(self) -> int | None:
        """How far Redis's window is from the ledger's; a few while jobs move, 0 at rest."""
        if self.redis is None:
            return None
        return abs(self.redis.waiting + self.redis.active - self.ledger.queued - self.ledger.running)
