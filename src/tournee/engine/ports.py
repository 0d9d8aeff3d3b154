"""What the engine asks of its two stores: `JobStore` (the ledger, PostgreSQL) and `Broker` (the dispatcher, BullMQ).

Worker and maintenance are written against these two, never against asyncpg or redis. The contract of
each method is stated here once; `engine.postgres` and `engine.bullmq` keep it.

Every method of `JobStore` that changes something commits a transaction of its own, unless it says otherwise, and is
guarded as its SQL says: what is not in the expected state is left alone and missing from the answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from tournee.db.pool import Connection
from tournee.engine.core.job import (
    ClaimedJob,
    DeadJob,
    Dispatchable,
    DispatchId,
    Enqueued,
    Failure,
    JobId,
    JobState,
    Priority,
    QueueName,
    WorkerId,
)
from tournee.engine.core.payload import Payload


class BrokerUnavailable(Exception):
    """Redis did not answer, or not in time. Nothing is known about what it executed."""


class BrokerMisconfigured(Exception):
    """Redis answers, but can't serve as a dispatcher (eviction policy, version, password). Says what to do."""


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


class Broker(Protocol):
    """BullMQ on Redis or Valkey. Raises `BrokerUnavailable` for every connection fault or time-out.

    Cancelling a call leaves no connection in an undefined state. No method opens or needs a ledger
    transaction, and none is ever called while one is open.
    """

    async def check(self) -> None:
        """Connect and verify version and `maxmemory-policy noeviction`; raises `BrokerMisconfigured`."""
        ...

    async def close(self) -> None: ...

    async def add(self, queue: QueueName, jobs: Sequence[Dispatchable]) -> None:
        """Add all in one pipeline, urgent ones to the front. A job of a repeated dispatch shows attempts made
        and earlier stack traces. Raises if any of them is not known to be added; the caller then sets the rows back.
        """
        ...

    async def exchange(
        self, queue: QueueName, finished: Sequence[Finished], fetch: int, worker_token: str
    ) -> list[Fetched]:
        """Finish what is done and fetch at most `fetch` next jobs, in one pipeline (`moveToFinished` with
        fetch-next where possible, `moveToActive` for the rest). A negative reply for one finish is no error:
        that entry is cleaned and no job came with it. Runs without client retries.
        """
        ...

    async def discard(self, queue: QueueName, raw_ids: Sequence[str]) -> None:
        """Remove entries that no row accounts for from every list and set, with hash, lock and logs."""
        ...

    async def wait_for_jobs(self, queue: QueueName, timeout_seconds: float) -> bool:
        """Block on the queue's marker; True if a job may be there. Uses a connection of its own, whose client
        name lets Bull Board count this worker.
        """
        ...

    async def extend_locks(self, queue: QueueName, held: Mapping[DispatchId, str], duration_ms: int) -> set[DispatchId]:
        """Renew the locks of held jobs in one call on a connection of its own; answers those that were lost."""
        ...

    async def read_depth(self, queue: QueueName) -> BrokerDepth: ...

    async def write_epoch(self, queue: QueueName, epoch: int) -> None: ...

    async def snapshot(self, queue: QueueName) -> BrokerSnapshot: ...

    async def find_leftovers(self, queue: QueueName) -> list[str]:
        """Slow SCAN for job hashes that are in no list or set; at most a few thousand, for `discard`."""
        ...

    async def project_dead(self, dead: Sequence[DeadJob], keep: int) -> tuple[int, int]:
        """Make the `deadLetters` queue hold exactly an entry for each of `dead` (the latest first, at most `keep`),
        and drop failed-set entries of work queues that are none of them; answers (added, removed).
        Entry ids are `d<job id>-<dispatch>`.
        """
        ...

    async def write_progress(self, queue: QueueName, id: DispatchId, progress: float) -> None: ...

    async def write_log(self, queue: QueueName, id: DispatchId, line: str) -> None: ...

    async def memory_bytes(self) -> int: ...


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


class LedgerUnavailable(Exception):
    """PostgreSQL did not answer, or not in time. Nothing is known about what it executed."""


class CommitUnknown(LedgerUnavailable):
    """The answer to a COMMIT was lost: the transaction may be committed. `JobStore.read_outcome` tells."""


class LedgerContended(Exception):
    """Another session was in the way (deadlock, lock time-out): rolled back, may be run again."""


class Transaction(Protocol):
    """An open transaction in which jobs can be enqueued. Whoever opened it commits it."""

    @property
    def connection(self) -> Connection:
        """For the caller's own SQL: it commits, or rolls back, with the jobs."""
        ...

    async def enqueue(
        self,
        payload: Payload,
        *,
        delay: timedelta = timedelta(0),
        run_at: datetime | None = None,
        priority: Priority = Priority.NORMAL,
        trace_context: str | None = None,
    ) -> Enqueued:
        """Insert one job unless its (queue, key) is there already. Raises `InvalidPayload`, `UnknownQueue`."""
        ...

    async def enqueue_many(
        self,
        payloads: Sequence[Payload],
        *,
        delay: timedelta = timedelta(0),
        run_at: datetime | None = None,
        priority: Priority = Priority.NORMAL,
        trace_contexts: Sequence[str | None] | None = None,
    ) -> list[Enqueued]:
        """Insert many in one statement; the answers stand in the order of `payloads`."""
        ...


DeathHook = Callable[[Transaction, DeadJob], Awaitable[None]]
"""Runs in the transaction in which a job dies or is redriven; what it writes commits with that."""


@dataclass(frozen=True, slots=True)
class QueueDeclaration:
    """A queue to be known to the ledger."""

    name: QueueName
    priority: str = "medium"
    provider: str | None = None
    max_attempts: int | None = None
    """Attempts in all for new jobs of this queue; None: as their payload type says."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What the relay must know of a queue before it fills it."""

    paused: bool
    provider: str | None
    breaker: str
    breaker_due: bool
    """An open breaker whose time has come: half-open it."""
    closed_for_seconds: float | None
    """How long a breaker that was open is closed again; None: it never opened, or is not closed."""
    epoch: int
    concurrency: int
    consumed_per_second: float


@dataclass(frozen=True, slots=True)
class Room:
    """How many rows of a queue may be in flight, queued and running together."""

    limit: int
    urgent_reserve: int = 0
    """How many urgent ones may stand beyond the limit."""
    provider: str | None = None
    """A half-open breaker's limit is one for all queues of its provider: they are counted together."""


@dataclass(frozen=True, slots=True)
class Marked:
    """What a mark took, in the order in which it must be added, and how many there was room for."""

    jobs: Sequence[Dispatchable]
    wanted: int


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


class JobStore(Protocol):
    """The ledger. Raises `LedgerUnavailable` or `LedgerContended`; cancelling a call rolls its transaction back."""

    async def declare_queues(self, queues: Sequence[QueueDeclaration]) -> None: ...

    # --- dispatch

    async def read_gate(self, queue: QueueName) -> Gate: ...

    async def mark_queued(self, queue: QueueName, room: Room) -> Marked:
        """Promote due rows and mark as many `queued` as there is room for, counted under the lock of the fill. Empty
        also when another relay is filling this queue. Commits before it returns.
        """
        ...

    async def half_open_breaker(self, provider: str) -> None:
        """An open breaker whose time has come lets its first probes through: what was dispatched before goes back to
        pending, so that probes are all that can be claimed.
        """
        ...

    async def return_queued(self, ids: Sequence[DispatchId]) -> Sequence[JobId]:
        """`queued` rows of exactly these dispatches go back to `pending`."""
        ...

    # --- the life of a claim

    async def claim_jobs(self, ids: Sequence[DispatchId], worker: WorkerId, limit: timedelta) -> Sequence[ClaimedJob]:
        """`queued` rows of exactly these dispatches become `running` under our name, their deadline `limit` ahead."""
        ...

    async def reread_claims(self, ids: Sequence[DispatchId], worker: WorkerId) -> Sequence[ClaimedJob]:
        """After a claim whose answer was lost: the rows among `ids` that run under our name."""
        ...

    def complete_in_transaction(
        self, jobs: Sequence[ClaimedJob], completed: Callable[[], Sequence[ClaimedJob]]
    ) -> AbstractAsyncContextManager[Transaction]:
        """Open the transaction of effects: locks the rows of `jobs` by lease, and at its end completes those that
        `completed()` names. Raises `LeaseLost` where one of them is not ours any more; then all rolls back.
        """
        ...

    def step(self, job: ClaimedJob) -> AbstractAsyncContextManager[Transaction]:
        """A committed step within a run: locks the row by lease, completes nothing. Raises `LeaseLost`."""
        ...

    async def complete_jobs(self, jobs: Sequence[ClaimedJob]) -> set[JobId]:
        """Complete effect-free jobs in one statement; answers those that were ours."""
        ...

    async def read_outcome(self, job: ClaimedJob) -> tuple[JobState, int] | None:
        """State and lease of a row after a COMMIT whose answer was lost; waits for one in progress."""
        ...

    async def fail_job(
        self, job: ClaimedJob, failure: Failure, outcome: str, delay: timedelta, on_dead: DeathHook | None
    ) -> DeadJob | None:
        """One failed attempt: recorded, then `pending` after `delay`, or `dead` with `on_dead` in the same transaction.
        Answers the dead row. Raises `LeaseLost`.
        """
        ...

    async def put_off_jobs(
        self, jobs: Sequence[ClaimedJob], delay: timedelta, *, outage: Failure | None = None, snoozed: bool = False
    ) -> set[JobId]:
        """Park (`outage`), snooze or release: back to `pending`, no attempt used."""
        ...

    async def mark_alone(self, job: ClaimedJob) -> bool: ...

    async def cancel_running(self, job: ClaimedJob, on_cancelled: DeathHook | None) -> bool:
        """A running job whose cancellation was asked for, and whose handler has stopped."""
        ...

    # --- workers, rescue, reconciliation

    async def register_worker(self, worker: WorkerRow) -> None: ...

    async def beat_worker(self, id: WorkerId, queues: Mapping[str, Mapping[str, float]], stopping: bool) -> bool:
        """False: this process was declared dead and must take a new id."""
        ...

    async def list_claims(self, worker: WorkerId) -> Sequence[HeldClaim]: ...

    async def read_workers(self) -> Sequence[WorkerRow]: ...

    async def report_dead_worker(self, pids: Sequence[int], host: str) -> int:
        """A supervisor saw these processes die."""
        ...

    async def forget_workers(self, ids: Sequence[WorkerId]) -> None: ...

    async def rescue_jobs(
        self, dead_workers: Sequence[WorkerId], on_dead: Callable[[str], DeathHook | None], limit: int = 500
    ) -> Rescued:
        """Rescue what dead workers left, what bears no worker's id and what is past its deadline. Each death is a
        transaction of its own; a hook that fails leaves its row to the next rescue, and holds up no other.
        """
        ...

    async def read_epochs(self) -> Mapping[QueueName, int]: ...

    async def renew_epoch(
        self, queue: QueueName, read: Callable[[], Awaitable[int | None]], write: Callable[[int], Awaitable[None]]
    ) -> int | None:
        """Redis was lost: under a lock on the queue's row, `read` its epoch again, `write` the next one to Redis, sweep
        the queued rows to pending, commit the epoch. Answers how many moved; None where another process was first and
        both sides agree.
        """
        ...

    async def list_queued(self, queue: QueueName, minimum_age: timedelta) -> set[DispatchId]: ...

    async def list_live_dispatches(self, ids: Sequence[DispatchId]) -> Mapping[DispatchId, JobState]: ...

    async def list_dead(self, query: DeadQuery) -> Sequence[DeadJob]: ...

    async def prune_finished(self, after_id: int, look_at: int, horizon: timedelta) -> tuple[int, bool, int]:
        """Answers (last id looked at, whether the newest was reached, rows deleted)."""
        ...

    async def read_cursor(self, name: str) -> Any: ...

    async def write_cursor(self, name: str, value: Any) -> None: ...

    async def take_leadership(self, role: str, holder: WorkerId, duration: timedelta) -> bool: ...

    async def drop_leadership(self, holder: WorkerId) -> None: ...

    # --- breakers

    async def note_outage(self, provider: str, reason: str, retry_after: timedelta | None) -> str:
        """Count one outage; answers the breaker's state."""
        ...

    async def note_success(self, provider: str) -> str: ...

    async def read_providers(self) -> Sequence[ProviderRow]: ...

    # --- operators

    async def read_status(self, finished: bool) -> Sequence[QueueStatus]:
        """The live part of each queue; with `finished` also completed and cancelled, which reads the whole ledger."""
        ...

    async def list_jobs(self, query: JobQuery) -> Sequence[JobRow]: ...

    async def find_jobs(self, keys: Sequence[tuple[str, str]]) -> Sequence[JobRow]: ...

    async def list_attempts(self, ids: Sequence[int]) -> Sequence[AttemptRow]: ...

    async def cancel_jobs(
        self, ids: Sequence[int], who: Operator, on_cancelled: Callable[[str], DeathHook | None]
    ) -> Mapping[JobId, JobState]:
        """Pending and queued jobs at once; running ones are asked to stop. Answers the state each now has."""
        ...

    async def redrive_dead(
        self, ids: Sequence[int], who: Operator, on_redrive: Callable[[str], DeathHook | None]
    ) -> Sequence[DeadJob]: ...

    async def discard_dead(
        self, ids: Sequence[int], who: Operator, on_cancelled: Callable[[str], DeathHook | None]
    ) -> Sequence[JobId]: ...

    async def pause_queue(self, queue: QueueName, paused: bool, who: Operator) -> bool: ...


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
