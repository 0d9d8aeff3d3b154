"""The records that travel between the stores and those who use them: what was asked for, what was found.

Owns their shape. They hold no behaviour beyond reading themselves, and refuse to know where they are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tournee.engine.core.job import DeadJob, DispatchId, JobId, JobState, QueueName, WorkerId


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
    holders: Mapping[DispatchId, str] = field(default_factory=dict)
    """The token of each lock in active: who fetched it."""

    def without_holders(self, is_gone: Callable[[str], bool]) -> BrokerSnapshot:
        """The same look, with the locks of those who are gone taken for none."""
        abandoned = frozenset(entry for entry, token in self.holders.items() if is_gone(token))
        return replace(self, present=self.present - abandoned, unlocked=self.unlocked | abandoned)


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
    workers: int = 0
    """How many processes were found dead."""


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
