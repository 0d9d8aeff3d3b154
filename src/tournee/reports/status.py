"""The system as it stands: addresses, queues, workers, providers, mailboxes, cost, set-up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Address:
    """Where a part of the running system is reached: `console`, `board`, `postgresql`, …"""

    name: str
    url: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class LimitsReport:
    """What holds a queue over all processes; None: no such limit. A rate is so many dispatches in so many seconds, and
    `rate_left` how many it leaves now.
    """

    concurrency: int | None = None
    per_tenant_concurrency: int | None = None
    rate_count: int | None = None
    rate_seconds: float | None = None
    per_tenant_rate_count: int | None = None
    per_tenant_rate_seconds: float | None = None
    rate_left: float | None = None


@dataclass(frozen=True, slots=True)
class QueueReport:
    """One queue, ledger and Redis side by side. Redis' figures are None when it does not answer.

    `drift`: dispatches that one side has and the other has not; a few are normal while jobs move.
    """

    queue: str
    priority: str
    provider: str | None
    paused: bool
    breaker: str
    pending: int
    scheduled: int
    queued: int
    running: int
    completed: int
    dead: int
    cancelled: int
    oldest_pending_at: datetime | None
    redis_waiting: int | None = None
    redis_active: int | None = None
    redis_failed: int | None = None
    drift: int | None = None
    limits: LimitsReport = field(default_factory=LimitsReport)


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """One worker process as the ledger knows it."""

    id: str
    name: str
    host: str
    pid: int
    queues: Mapping[str, int]
    started_at: datetime
    beat_age_seconds: float
    stopping: bool = False


@dataclass(frozen=True, slots=True)
class ProviderReport:
    """One provider's breaker."""

    name: str
    state: str
    reason: str | None = None
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ScheduleReport:
    """A job that recurs. `served`: a live process declares it and fires it; without one it does not fire.

    `last_fired_at`: the latest instant that made a job. `error`: why the latest could not be made.
    """

    name: str
    cron: str
    time_zone: str
    queue: str
    kind: str
    missed: str
    paused: bool
    served: bool
    next_at: datetime
    last_fired_at: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class MailboxReport:
    """How fresh a mailbox is."""

    name: str
    source: str
    connected: bool
    messages: int
    last_push_at: datetime | None = None
    last_synced_at: datetime | None = None
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class CostReport:
    """What analysis has cost, today and in all; a microcent is a millionth of a cent."""

    analyses: int = 0
    analyses_today: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_microcents: int = 0
    cost_microcents_today: int = 0


@dataclass(frozen=True, slots=True)
class StatusReport:
    """The whole system at one moment. `running`: a stack serves this home."""

    home: str
    running: bool
    addresses: Sequence[Address] = ()
    queues: Sequence[QueueReport] = ()
    workers: Sequence[WorkerReport] = ()
    providers: Sequence[ProviderReport] = ()
    mailboxes: Sequence[MailboxReport] = ()
    cost: CostReport = field(default_factory=CostReport)
    redis_memory_bytes: int | None = None
    schedules: Sequence[ScheduleReport] = ()


@dataclass(frozen=True, slots=True)
class ReconcileReport:
    """What a comparison of ledger and Redis found and mended in one queue.

    `lost`: rows that Redis had lost, back to `pending`; `orphans`: entries that no row accounts for, removed;
    `leftovers`: hashes in no list, removed; `projected`: entries added to or removed from `deadLetters`.
    """

    queue: str
    epoch_mended: bool = False
    lost: int = 0
    orphans: int = 0
    leftovers: int = 0
    projected: int = 0


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """The schema's version before and after; both None or equal: there was nothing to do."""

    before: str | None
    after: str | None
    applied: Sequence[str] = ()


class Verdict(StrEnum):
    """How one check of the set-up ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of the set-up; `remedy` says what to do unless all is well."""

    check: str
    verdict: Verdict
    detail: str
    remedy: str = ""
