"""The ledger, as worker and maintenance see it, and the ways in which it can fail to answer.

Every method of `JobStore` that changes something commits a transaction of its own, unless it says otherwise, and is
guarded as its SQL says: what is not in the expected state is left alone and missing from the answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any, Protocol

from tournee.db.pool import Connection
from tournee.engine.core.filling import Gate, Marked, QueueDeclaration, Room
from tournee.engine.core.job import (
    ClaimedJob,
    DeadJob,
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
from tournee.engine.core.records import (
    AttemptRow,
    DeadQuery,
    HeldClaim,
    JobQuery,
    JobRow,
    Operator,
    ProviderRow,
    QueueStatus,
    Rescued,
    WorkerRow,
)
from tournee.engine.ports.schedules import ScheduleStore


class LedgerUnavailable(Exception):
    """PostgreSQL did not answer, or not in time. Nothing is known about what it executed."""


class CommitUnknown(LedgerUnavailable):
    """The answer to a COMMIT was lost: the transaction may be committed. `JobStore.read_outcome` tells."""


class TransactionOverdue(LedgerUnavailable):
    """A transaction took too long: a statement was not answered in its time, or PostgreSQL cancelled it, or ended the
    session because it idled. All rolled back. In an outage that is the ledger's fault, else the caller's.
    """


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


class JobStore(ScheduleStore, Protocol):
    """The ledger. Raises `LedgerUnavailable` or `LedgerContended`; cancelling a call rolls its transaction back."""

    async def declare_queues(self, queues: Sequence[QueueDeclaration]) -> None: ...

    # --- dispatch

    async def read_gate(self, queue: QueueName) -> Gate: ...

    async def mark_queued(self, queue: QueueName, room: Room) -> Marked:
        """Promote due rows and mark as many `queued` as there is room for and the queue's limits allow, counted under
        the lock of the fill. Empty also when another relay is filling this queue. Commits before it returns.
        """
        ...

    async def prune_buckets(self) -> int:
        """Remove token buckets that are full again; answers how many."""
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

    async def read_dead_fingerprint(self) -> tuple[int, str]:
        """How many dead letters there are, and a text that differs when one came or went."""
        ...

    async def prune_finished(self, after_id: int, look_at: int, horizon: timedelta) -> tuple[int, bool, int]:
        """Answers (last id looked at, whether rows created within the horizon were reached, rows deleted)."""
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

    async def close_unguarded_breakers(self) -> Sequence[str]:
        """Open breakers that guard no queue, and whose time has come: nothing would ever probe them."""
        ...

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
