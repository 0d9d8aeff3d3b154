"""What the console shows, as typed rows: one dataclass for each of `console.py`'s read functions.

Owns no behaviour beyond what follows from a row's own values. Times are aware and in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

Json: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class NewsletterLine:
    """One newsletter in a list, with what each stage did so far. `delivered_at`: its last delivery."""

    id: int
    mailbox_id: int
    mailbox: str
    subject: str
    from_name: str
    from_address: str
    received_at: datetime
    sent_at: datetime | None
    state: str
    cache_hit: bool | None
    invalid_reason: str | None
    index_error: str | None
    stored_at: datetime
    analysed_at: datetime | None
    indexed_at: datetime | None
    title: str | None
    summary: str | None
    summary_language: str | None
    language: str
    topics: Sequence[str] | None
    analyser: str | None
    kind: str | None
    reading_minutes: int | None
    job_id: int | None
    job_state: str | None
    job_attempt: int | None
    deliveries_planned: int
    deliveries_sent: int
    deliveries_failed: int
    delivered_at: datetime | None

    @property
    def moved_at(self) -> datetime:
        """When a stage last did something for it."""
        return max(at for at in (self.stored_at, self.analysed_at, self.indexed_at, self.delivered_at) if at)

    @property
    def seconds_to_search(self) -> float | None:
        """From stored to searchable; None while it is not searchable."""
        return (self.indexed_at - self.stored_at).total_seconds() if self.indexed_at else None


@dataclass(frozen=True, slots=True)
class MessageLine:
    """One message of any class in a list."""

    id: int
    mailbox_id: int
    mailbox: str
    name: str
    subject: str
    from_name: str
    from_address: str
    received_at: datetime
    sent_at: datetime | None
    message_class: str
    score: float
    size: int
    parse_notes: Sequence[str]


@dataclass(frozen=True, slots=True)
class MessageDetail:
    """One message, whole but for raw mail and HTML; from `state` on None where it is no newsletter, from `analyser`
    on None where it is not analysed. `text` is cut at 20,000 characters."""

    id: int
    mailbox_id: int
    mailbox: str
    source: str
    owner: str
    name: str
    provider_id: str
    message_id_header: str | None
    subject: str
    from_name: str
    from_address: str
    sent_at: datetime | None
    received_at: datetime
    message_class: str
    score: float
    size: int
    reasons: Sequence[Mapping[str, Json]]
    parse_notes: Sequence[str]
    trace_context: str | None
    raw_kept: bool
    raw_kept_until: datetime
    import_id: int | None
    import_path: str | None
    state: str | None
    cache_hit: bool | None
    invalid_reason: str | None
    index_error: str | None
    notifies: bool | None
    content_hash: str | None
    stored_at: datetime | None
    analysed_at: datetime | None
    indexed_at: datetime | None
    has_html: bool
    text: str | None
    analysis_id: int | None
    analyser: str | None
    model: str | None
    title: str | None
    summary: str | None
    summary_language: str | None
    language: str | None
    topics: Sequence[str] | None
    entities: Sequence[Json] | None
    key_links: Sequence[Mapping[str, Json]] | None
    reading_minutes: int | None
    kind: str | None
    tokens_in: int | None
    tokens_out: int | None
    cost_microcents: int | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Delivery:
    id: int
    owner: str
    channel: str
    target: str
    state: str
    error: str | None
    planned_at: datetime
    sent_at: datetime | None


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
    name: str
    state: str
    failures: int
    openings: int
    reason: str | None
    opened_at: datetime | None
    retry_at: datetime | None
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Mailbox:
    id: int
    name: str
    source: str
    connected: bool
    consents: bool
    notifies: bool
    generation: int
    last_push_at: datetime | None
    last_synced_at: datetime | None
    last_error: str | None
    owner: str
    messages: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts over everything stored; `cost_microcents` is what analyses cost, in millionths of a cent."""

    classes: Mapping[str, int]
    states: Mapping[str, int]
    cache_hits: int
    delivered: int
    analyses: int
    tokens_in: int
    tokens_out: int
    cost_microcents: int


@dataclass(frozen=True, slots=True)
class Trace:
    """All that is known of one message: itself, its jobs with their attempts, its deliveries."""

    message: MessageDetail
    jobs: Sequence[JobDetail]
    deliveries: Sequence[Delivery]
