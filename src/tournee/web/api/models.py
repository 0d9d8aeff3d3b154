"""What the JSON API answers: its own shapes, apart from those of the stores, so that a store can change without it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from tournee.web.api.limit_models import LimitsReport, ScheduleReport


class _Row(BaseModel):
    """Read from the attributes of a store's row."""

    model_config = ConfigDict(from_attributes=True)


class Problem(BaseModel):
    """Every refusal: one clear sentence."""

    error: str


class RedisDepth(_Row):
    """A queue as Redis holds it."""

    waiting: int
    active: int
    failed: int
    completed: int
    epoch: int | None


class QueueReport(BaseModel):
    """A queue, ledger and Redis side by side; `redis` and `drift` are null while Redis is away."""

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
    epoch: int
    redis: RedisDepth | None
    drift: int | None
    finished_per_second: float
    limits: LimitsReport | None


class WorkerReport(_Row):
    """One worker process; `alive` as far as its heartbeat tells."""

    id: str
    name: str
    host: str
    pid: int
    queues: dict[str, Any]
    started_at: datetime
    silent_seconds: float
    stopping: bool
    alive: bool = True


class ProviderReport(_Row):
    """One outside provider and its breaker."""

    name: str
    state: str
    failures: int
    reason: str | None
    retry_at: datetime | None


class MailboxReport(_Row):
    """One mailbox and its freshness."""

    id: int
    name: str
    source: str
    connected: bool
    last_push_at: datetime | None
    last_synced_at: datetime | None
    last_error: str | None


class TotalsReport(_Row):
    """Counts over everything stored."""

    classes: dict[str, int]
    states: dict[str, int]
    cache_hits: int
    delivered: int
    analyses: int
    tokens_in: int
    tokens_out: int
    cost_microcents: int


class StatusReport(BaseModel):
    """Everything at a glance; `database` and `redis` are `up` or `down`."""

    at: datetime
    database: str
    redis: str
    queues: list[QueueReport]
    dead_letters: int
    dead_letters_projected: int | None
    workers: list[WorkerReport]
    providers: list[ProviderReport]
    mailboxes: list[MailboxReport]
    schedules: list[ScheduleReport]
    totals: TotalsReport | None


class JobReport(_Row):
    """One ledger row, with its last error."""

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


class AttemptReport(_Row):
    """One failed attempt."""

    lease: int
    worker: str | None
    started_at: datetime | None
    finished_at: datetime
    outcome: str
    error_class: str
    message: str
    stack: str


class AuditReport(_Row):
    """What an operator did."""

    at: datetime
    actor: str
    action: str
    reason: str


class JobDetailReport(_Row):
    """One ledger row, whole, with its failed attempts."""

    id: int
    queue: str
    key: str
    kind: str
    version: int
    payload: dict[str, Any]
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
    worker: str | None
    run_at: datetime
    created_at: datetime
    dispatched_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    trace_context: str | None
    newsletter_id: int | None
    attempts: list[AttemptReport]
    audits: list[AuditReport]


class DeadReport(_Row):
    """One dead letter."""

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
    newsletter_id: int | None
    subject: str | None


class NewsletterReport(_Row):
    """One newsletter and what each stage did."""

    id: int
    mailbox: str
    subject: str
    from_name: str
    from_address: str
    received_at: datetime
    state: str
    language: str
    title: str | None
    summary: str | None
    topics: list[str] | None
    cache_hit: bool | None
    invalid_reason: str | None
    stored_at: datetime
    analysed_at: datetime | None
    indexed_at: datetime | None
    delivered_at: datetime | None
    deliveries_planned: int
    deliveries_sent: int
    deliveries_failed: int


class Hit(_Row):
    """`snippet` is plain text; what matched stands between U+E000 and U+E001."""

    newsletter_id: int
    title: str
    sender: str
    snippet: str
    language: str
    sent_at: datetime | None
    rank: float


class SearchReport(_Row):
    """What was found; `corrected` is the query as it was understood."""

    hits: list[Hit]
    total: int
    corrected: str | None


class Act(BaseModel):
    """What to act upon, and why; the reason goes to the audit log."""

    model_config = ConfigDict(extra="forbid")

    job_ids: list[Annotated[int, Field(ge=1, le=2**63 - 1)]] = Field(min_length=1, max_length=1000)
    reason: str = Field("", max_length=500)


class Acted(BaseModel):
    """Which jobs were changed; those that were not in a state to be changed are missing."""

    job_ids: list[int]


class Health(BaseModel):
    """The process answers."""

    status: str


class Readiness(BaseModel):
    """`ready`, or which part doesn't answer."""

    status: str
    database: str
    redis: str
