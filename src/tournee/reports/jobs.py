"""Jobs as they are chosen, changed many at once, and shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


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
