"""What an operator is told: the shapes that the command line, the API and the console share.

Owns their fields and the order of them; as JSON each is the object of its fields, times in ISO 8601 with their zone.
Keeps: plain, frozen data. Refuses to know where a figure comes from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class Address:
    """Where a part of the running system is reached: `console`, `board`, `postgresql`, …"""

    name: str
    url: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long work is. `total` None: not known yet."""

    stage: str
    done: int
    total: int | None = None


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """What to import: a folder, an mbox or a Maildir. `notify` None: unless a real SMTP server would send it."""

    path: str
    mailbox: str = "import"
    notify: bool | None = None


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What became of everything that was imported: `messages = newsletters + confirmations + others + unparsable`
    and `newsletters = analysed + cache_hits + invalid`. `duplicates` and `not_mail` are files outside `messages`.
    """

    messages: int = 0
    newsletters: int = 0
    confirmations: int = 0
    others: int = 0
    unparsable: int = 0
    analysed: int = 0
    cache_hits: int = 0
    invalid: int = 0
    indexed: int = 0
    notified: int = 0
    duplicates: int = 0
    not_mail: int = 0
    failed: int = 0
    dead: int = 0
    lost: int = 0
    seconds: float = 0.0

    @property
    def accounted_for(self) -> bool:
        """Whether the equations hold and nothing is lost."""
        return (
            self.lost == 0
            and self.messages == self.newsletters + self.confirmations + self.others + self.unparsable
            and self.newsletters == self.analysed + self.cache_hits + self.invalid
        )


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file among what was imported that is no mail, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The end of an import; `not_mail` names the first thousand of what the summary counts under that name."""

    summary: ImportSummary
    not_mail: Sequence[SkippedFile] = ()


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs: all that is given must match.

    `error`: a part of the last error. `before`, `after`: bound the creation, for dead letters the death.
    """

    ids: Sequence[int] = ()
    queue: str | None = None
    states: Sequence[str] = ()
    kind: str | None = None
    key: str | None = None
    tenant: str | None = None
    error: str | None = None
    before: datetime | None = None
    after: datetime | None = None
    limit: int = 50

    @property
    def is_empty(self) -> bool:
        """Whether it would match every job."""
        texts = (self.queue, self.kind, self.key, self.tenant, self.error)
        return not (self.ids or self.states or self.before or self.after or any(texts))


@dataclass(frozen=True, slots=True)
class BulkOrder:
    """Who changes many jobs at once, and why: both go to the audit log. `dry_run` only counts."""

    actor: str
    reason: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class BulkReport:
    """What a bulk action matched and changed; `job_ids` are the first thousand of those changed (or, dry, matched)."""

    action: str
    matched: int
    changed: int
    dry_run: bool
    job_ids: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class JobReport:
    """One row of the ledger, with its last error if it has one."""

    id: int
    queue: str
    key: str
    kind: str
    state: str
    tenant: str
    attempt: int
    max_attempts: int
    crashes: int
    outages: int
    dispatch: int
    created_at: datetime
    run_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error_class: str | None = None
    error_message: str | None = None


@dataclass(frozen=True, slots=True)
class AttemptReport:
    """One failed attempt of a job."""

    lease: int
    outcome: str
    worker: str | None
    started_at: datetime | None
    finished_at: datetime
    error_class: str
    message: str
    stack: str


@dataclass(frozen=True, slots=True)
class JobDetail:
    """One job with all that is known of it."""

    job: JobReport
    payload: Mapping[str, Any]
    attempts: Sequence[AttemptReport] = ()
    worker: str | None = None
    trace_context: str | None = None


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
