"""What the console shows of mail, as typed rows: messages, newsletters, deliveries, mailboxes, totals.

Owns no behaviour beyond what follows from a row's own values. Times are aware and in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tournee.pipeline.store.console_job_rows import JobDetail, Json


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
    """One delivery: planned, then sent or given up."""

    id: int
    owner: str
    channel: str
    target: str
    state: str
    error: str | None
    planned_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One mailbox with its freshness."""

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
