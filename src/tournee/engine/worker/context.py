"""What a handler gets: its job, and the only transaction.

Keeps invariant 3 on the handler's side: effects are written in a transaction that completes the job with them, and is
handed out once. Refuses a second one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from enum import Enum, auto
from typing import Generic, TypeVar

from tournee.engine.core.job import ClaimedJob, JobId, QueueName
from tournee.engine.core.payload import Payload
from tournee.engine.ports import Broker, BrokerUnavailable, CommitUnknown, JobStore, Transaction

P = TypeVar("P", bound=Payload)


class TransactionState(Enum):
    """What became of a job's only transaction."""

    UNUSED = auto()
    OPEN = auto()
    ROLLED_BACK = auto()
    COMMITTED = auto()
    UNKNOWN = auto()
    """The answer to the COMMIT was lost."""


class Job(Generic[P]):
    """One job, claimed by this process, with its typed payload."""

    def __init__(self, claimed: ClaimedJob, payload: P, store: JobStore, broker: Broker) -> None:
        self.claimed = claimed
        self.payload = payload
        self._store = store
        self._broker = broker
        self._only = OnlyTransaction(store, [claimed])

    @property
    def id(self) -> JobId:
        return self.claimed.id.job_id

    @property
    def queue(self) -> QueueName:
        return self.claimed.queue

    @property
    def key(self) -> str:
        return self.claimed.key

    @property
    def attempt_number(self) -> int:
        """1 for the first attempt."""
        return self.claimed.attempt_number

    @property
    def max_attempts(self) -> int:
        return self.claimed.max_attempts

    @property
    def trace_context(self) -> str | None:
        """The W3C traceparent that the job was enqueued with."""
        return self.claimed.trace_context

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """The transaction of this job's effects: once, after the outside work, it completes the job in the same commit.

        Raises `LeaseLost` where the job is not ours any more; all rolls back. Follow-up jobs enqueued in it exist if
        and only if this job is completed.
        """
        return self._only.open(lambda: [self.claimed])

    def step(self) -> AbstractAsyncContextManager[Transaction]:
        """A committed step of its own within the run, guarded by the lease. It completes nothing, and may run again.

        Not while `transaction()` is open, which holds the row that a step locks: it would wait for itself.
        """
        if self._only.state is TransactionState.OPEN:
            raise RuntimeError("job.step() within job.transaction() would wait for itself: put it before")
        return self._store.step(self.claimed)

    async def progress(self, fraction: float) -> None:
        """Show progress (0 to 1) on the board. Best effort: Redis being away is no fault of the job."""
        with suppress(BrokerUnavailable):
            await self._broker.write_progress(self.queue, self.claimed.id, round(fraction * 100, 1))

    async def log(self, line: str) -> None:
        """Show a line on the job's page of the board. Best effort."""
        with suppress(BrokerUnavailable):
            await self._broker.write_log(self.queue, self.claimed.id, line[:2000])

    @property
    def transaction_state(self) -> TransactionState:
        return self._only.state


class Batch(Generic[P]):
    """Many jobs of one kind, for a handler that does them in one call outside."""

    def __init__(self, jobs: Sequence[Job[P]], store: JobStore) -> None:
        self.jobs = jobs
        self.failures: dict[JobId, BaseException] = {}
        self._only = OnlyTransaction(store, [job.claimed for job in jobs])

    def fail(self, job: Job[P], error: BaseException) -> None:
        """This one failed; the others go on. Its attempt is recorded after the transaction of the others."""
        self.failures[job.id] = error

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """The transaction of all effects: it completes every job that was not failed, in the same commit."""
        return self._only.open(lambda: [job.claimed for job in self.jobs if job.id not in self.failures])

    @property
    def transaction_state(self) -> TransactionState:
        return self._only.state


class OnlyTransaction:
    """The one transaction of a run, and what became of it."""

    def __init__(self, store: JobStore, jobs: Sequence[ClaimedJob]) -> None:
        self._store = store
        self._jobs = jobs
        self.state = TransactionState.UNUSED

    @asynccontextmanager
    async def open(self, completed: Callable[[], Sequence[ClaimedJob]]) -> AsyncIterator[Transaction]:
        if self.state is not TransactionState.UNUSED:
            raise RuntimeError("job.transaction() is handed out once: put all effects of the job into it")
        self.state = TransactionState.OPEN
        try:
            async with self._store.complete_in_transaction(self._jobs, completed) as transaction:
                yield transaction
        except CommitUnknown:
            self.state = TransactionState.UNKNOWN
            raise
        except BaseException:
            self.state = TransactionState.ROLLED_BACK
            raise
        self.state = TransactionState.COMMITTED
