"""What the console shows of the engine, as typed rows: jobs, attempts, dead letters, workers, providers.

Owns no behaviour beyond what follows from a row's own values. Times are aware and in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

Json: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class JobLine:
    """One ledger row in a list, with the error of its last failed attempt."""

    id: int
    queue: str
    key: str
    kind: str
    tenant: str
    state: str
    priority: int
    attempt: int
    max_attempts: int
    crashes: int
    outages: int
    dispatch: int
    run_at: datetime
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error_class: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One failed attempt. A success leaves no row: the job's own `started_at` and `finished_at` tell it."""

    job_id: int
    lease: int
    worker_id: str | None
    worker: str | None
    started_at: datetime | None
    finished_at: datetime
    outcome: str
    error_class: str
    message: str
    stack: str


@dataclass(frozen=True, slots=True)
class Audit:
    """One act of an operator."""

    at: datetime
    actor: str
    action: str
    reason: str


@dataclass(frozen=True, slots=True)
class JobDetail:
    """One ledger row, whole. `worker` is None once its process was forgotten; `newsletter_id` None if it has none."""

    id: int
    queue: str
    key: str
    kind: str
    version: int
    payload: Mapping[str, Json]
    tenant: str
    priority: int
    state: str
    attempt: int
    max_attempts: int
    crashes: int
    outages: int
    snoozes: int
    dispatch: int
    lease: int
    suspect: bool
    cancel_requested: bool
    worker_id: str | None
    worker: str | None
    run_at: datetime
    created_at: datetime
    dispatched_at: datetime | None
    started_at: datetime | None
    deadline_at: datetime | None
    finished_at: datetime | None
    trace_context: str | None
    newsletter_id: int | None
    attempts: Sequence[Attempt] = ()
    audits: Sequence[Audit] = ()


@dataclass(frozen=True, slots=True)
class DeadLine:
    """One dead letter with the error that ended it, and the newsletter it was about."""

    id: int
    queue: str
    key: str
    kind: str
    tenant: str
    attempt: int
    max_attempts: int
    crashes: int
    created_at: datetime
    died_at: datetime
    error_class: str | None
    error: str | None
    stack: str | None
    newsletter_id: int | None
    subject: str | None


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker process; `queues` maps a queue to {concurrency, consumed_per_second}."""

    id: str
    name: str
    host: str
    pid: int
    queues: Mapping[str, Mapping[str, Json]]
    started_at: datetime
    beat_at: datetime
    stopping: bool
    reported_dead: bool
    silent_seconds: float


@dataclass(frozen=True, slots=True)
class Provider:
    """One outside provider with its breaker."""

    name: str
    state: str
    failures: int
    openings: int
    reason: str | None
    opened_at: datetime | None
    retry_at: datetime | None
    changed_at: datetime
