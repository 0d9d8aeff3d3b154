"""The words of a job: ids, states, priorities and the rows that travel between store, broker and worker.

Owns the vocabulary that every other room of the engine speaks. It does no I/O and refuses to know how
a row is stored or dispatched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any, NewType
from uuid import UUID

JobId = NewType("JobId", int)
WorkerId = NewType("WorkerId", UUID)
QueueName = NewType("QueueName", str)

_LOCK_OWNER = "tournee:"
DEAD_LETTERS = QueueName("deadLetters")
"""Shows the dead jobs in Redis; no worker consumes it."""

MAX_PAYLOAD_BYTES = 32 * 1024
"""A payload holds ids, never mail bodies: 32 KiB of JSON at most."""


class JobState(StrEnum):
    """The states of a ledger row; `TERMINAL` ones change by an operator's action only."""

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    DEAD = "dead"
    CANCELLED = "cancelled"


TERMINAL = frozenset({JobState.COMPLETED, JobState.DEAD, JobState.CANCELLED})


class Priority(IntEnum):
    """Order inside one queue. `rank = run_at + priority × ageing interval`, so nothing starves."""

    URGENT = -1
    NORMAL = 0
    BACKFILL = 1


AGEING_INTERVAL = timedelta(seconds=60)
"""How much later than a normal job a backfill job ranks; after that wait it goes first."""


@dataclass(frozen=True, slots=True, order=True)
class DispatchId:
    """One dispatch of one job. Its text is BullMQ's jobId and is never used twice."""

    job_id: JobId
    dispatch: int

    _PATTERN = re.compile(r"j([0-9]{1,19})-([0-9]{1,10})")

    def __str__(self) -> str:
        return f"j{self.job_id}-{self.dispatch}"

    @classmethod
    def parse(cls, text: str) -> DispatchId | None:
        """Read a BullMQ jobId; None for an id that the engine did not make."""
        match = cls._PATTERN.fullmatch(text)
        return cls(JobId(int(match[1])), int(match[2])) if match else None


def make_token(worker: WorkerId) -> str:
    """The token under which a process locks what it fetches: it tells whose lock it is."""
    return f"{_LOCK_OWNER}{worker}"


def parse_token(text: str) -> WorkerId | None:
    """Whose lock it is; None for one that the engine did not make."""
    try:
        return WorkerId(UUID(text.removeprefix(_LOCK_OWNER))) if text.startswith(_LOCK_OWNER) else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job about to be inserted. `key` is its idempotency key within the queue."""

    queue: QueueName
    key: str
    kind: str
    version: int
    payload: dict[str, Any]
    tenant: str = ""
    priority: Priority = Priority.NORMAL
    delay: timedelta = timedelta(0)
    run_at: datetime | None = None
    """None: now (PostgreSQL's clock) plus `delay`."""
    max_attempts: int = 3
    trace_context: str | None = None


@dataclass(frozen=True, slots=True)
class Enqueued:
    """The answer to an enqueue: a fresh row, or the state of the row that was there before.

    `succeeded` is False for a row that is `dead` or `cancelled`: it is there, but its work is not done
    and will not be without an operator.
    """

    job_id: JobId
    created: bool
    state: JobState

    @property
    def succeeded(self) -> bool:
        return self.state not in (JobState.DEAD, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Dispatchable:
    """What the relay marked `queued` and must now add to BullMQ."""

    id: DispatchId
    queue: QueueName
    key: str
    kind: str
    tenant: str
    payload: dict[str, Any]
    priority: Priority
    attempt: int
    """Failed attempts so far."""
    max_attempts: int
    created_at: datetime
    trace_context: str | None
    earlier_errors: tuple[str, ...] = ()
    """Stack traces of earlier attempts, oldest first, for the board."""
    front: bool = False
    """It goes before what stands in Redis."""


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that this process holds: `lease` is the fence of all that it writes."""

    id: DispatchId
    queue: QueueName
    key: str
    kind: str
    version: int
    tenant: str
    payload: dict[str, Any]
    lease: int
    attempt: int
    max_attempts: int
    crashes: int
    outages: int
    suspect: bool
    cancel_requested: bool
    created_at: datetime
    run_at: datetime
    dispatched_at: datetime
    started_at: datetime
    trace_context: str | None

    @property
    def attempt_number(self) -> int:
        """1 for the first attempt."""
        return self.attempt + 1


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt, as it is recorded."""

    error_class: str
    message: str
    stack: str


@dataclass(frozen=True, slots=True)
class DeadJob:
    """A row that has just become, or is, a dead letter, with its last error."""

    job_id: JobId
    queue: QueueName
    key: str
    kind: str
    tenant: str
    payload: dict[str, Any]
    attempt: int
    crashes: int
    dispatch: int
    error: Failure
    died_at: datetime
    trace_context: str | None
    version: int = 1
    """Of the payload."""
