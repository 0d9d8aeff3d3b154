"""What the checks of the invariants may read: plain rows, gathered once. Pure.

Owns the shapes. A check is a function of an `Evidence` and of nothing else, so that the same checks judge a test of one
job, a property test and hours of chaos.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

LIVE = frozenset({"pending", "queued", "running"})
TERMINAL = frozenset({"completed", "dead", "cancelled"})


@dataclass(frozen=True, slots=True)
class JobEvidence:
    """One row of the ledger."""

    id: int
    queue: str
    key: str
    kind: str
    payload: Mapping[str, Any]
    state: str
    attempt: int
    max_attempts: int
    crashes: int
    outages: int
    snoozes: int
    dispatch: int
    lease: int
    run_at: datetime

    @property
    def entry(self) -> str:
        """The id of its current dispatch in Redis."""
        return f"j{self.id}-{self.dispatch}"

    def __str__(self) -> str:
        return f"job {self.id} ({self.queue}/{self.key}, {self.state})"


@dataclass(frozen=True, slots=True)
class AttemptEvidence:
    """One recorded attempt."""

    job_id: int
    lease: int
    outcome: str
    error_class: str


@dataclass(frozen=True, slots=True)
class AuditEvidence:
    """One line of the audit log; `xid` names its transaction, and is empty where no recorder ran."""

    action: str
    job_ids: tuple[int, ...]
    xid: str


@dataclass(frozen=True, slots=True)
class QueueEvidence:
    """A queue as the ledger sees it. `shut`: paused, or its provider's breaker is not closed."""

    name: str
    epoch: int
    shut: bool


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a ledger row, as the recorder saw it; an insert has no old state, a delete no new one."""

    seq: int
    xid: str
    at: datetime
    job_id: int
    queue: str
    key: str
    old_state: str | None
    new_state: str | None
    old_lease: int
    new_lease: int
    old_attempt: int
    new_attempt: int
    old_crashes: int
    new_crashes: int
    old_alone: bool
    run_at: datetime
    """The row's run_at before the change: what a claim had to wait for."""

    @property
    def is_claim(self) -> bool:
        """A row that is claimed while it runs is one too, and a wrong one."""
        moved = self.old_state != "running" or self.new_lease > self.old_lease
        return self.new_state == "running" and moved

    @property
    def is_redrive(self) -> bool:
        return self.old_state == "dead" and self.new_state == "pending"


@dataclass(frozen=True, slots=True)
class Effect:
    """What a handler wrote in the job's transaction."""

    job_id: int
    lease: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Start:
    """A handler began: written at once to a log that no transaction can take back. `claimed_at` is PostgreSQL's."""

    job_id: int
    lease: int
    claimed_at: datetime


@dataclass(frozen=True, slots=True)
class Flush:
    """Redis was emptied, by PostgreSQL's clock, and how soon what it held must have moved on."""

    at: datetime
    bound_seconds: float


@dataclass(frozen=True, slots=True)
class Told:
    """What callers and handlers wrote down as it happened, outside every transaction."""

    starts: Sequence[Start] = ()
    kills: frozenset[tuple[int, int]] = frozenset()
    """(job, lease) of handlers that killed their own process."""
    acknowledged: frozenset[tuple[str, str]] = frozenset()
    """(queue, key) of enqueues whose commit was answered."""
    rolled_back: frozenset[tuple[str, str]] = frozenset()
    """(queue, key) of enqueues that were certainly rolled back. One whose COMMIT was not answered stands in neither."""
    flushes: Sequence[Flush] = ()
    outside_faults: Sequence[str] = ()
    """Faults that killed or froze a process from outside: a crash may then be no handler's fault."""


@dataclass(frozen=True, slots=True)
class BrokerQueue:
    """One queue as Redis holds it."""

    waiting: frozenset[str] = frozenset()
    """Ids in wait and paused."""
    active: frozenset[str] = frozenset()
    locked: frozenset[str] = frozenset()
    """Those of `active` whose lock exists."""
    epoch: int | None = None


@dataclass(frozen=True)
class Evidence:
    """All that was found; `ledger` and `effects` are of one snapshot of PostgreSQL."""

    at: datetime
    """PostgreSQL's clock when it was gathered."""
    ledger: Mapping[int, JobEvidence]
    ready: Sequence[int]
    inflight: Sequence[tuple[str, int]]
    dead: Sequence[int]
    """Ids of the dead letters, the latest first."""
    attempts: Sequence[AttemptEvidence]
    audit: Sequence[AuditEvidence]
    queues: Mapping[str, QueueEvidence]
    history: Sequence[Change] | None
    """None where no recorder was installed: the checks that need one then say nothing."""
    effects: Sequence[Effect]
    broker: Mapping[str, BrokerQueue]
    dead_letters: frozenset[str]
    """Ids in the queue `deadLetters`."""
    told: Told = field(default_factory=Told)
    effect_free: frozenset[str] = frozenset()
    """Queues whose handlers write no row into `effects`."""

    @cached_property
    def changes(self) -> Mapping[int, Sequence[Change]]:
        """The history of each job, oldest first."""
        found: defaultdict[int, list[Change]] = defaultdict(list)
        for change in self.history or ():
            found[change.job_id].append(change)
        return found

    @cached_property
    def last_states(self) -> Mapping[int, str]:
        """The state of each job, or the one in which its row was deleted."""
        states = {change.job_id: change.old_state or "" for change in self.history or () if change.new_state is None}
        return states | {job.id: job.state for job in self.ledger.values()}

    @cached_property
    def keys(self) -> Mapping[tuple[str, str], int]:
        """The job of each (queue, key)."""
        return {(job.queue, job.key): job.id for job in self.ledger.values()}

    def is_due(self, job: JobEvidence) -> bool:
        """Whether nothing keeps this job from running."""
        return job.run_at <= self.at and not self.queues[job.queue].shut


@dataclass(frozen=True, slots=True)
class Violation:
    """One invariant broken, in words that name the jobs."""

    invariant: int
    name: str
    what: str

    def __str__(self) -> str:
        return f"invariant {self.invariant} ({self.name}): {self.what}"
