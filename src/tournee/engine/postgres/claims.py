"""The life of a claim: claim, effects with completion, failure, putting off.

Keeps invariants 3, 4, 6, 8 and 13. Every write is guarded by (id, state = running, lease); what is not ours any more is
left alone, and inside a transaction raises `LeaseLost` so that all of it rolls back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from tournee.db.pool import Connection
from tournee.engine.core.errors import LeaseLost
from tournee.engine.core.job import ClaimedJob, DeadJob, DispatchId, Failure, JobId, JobState, WorkerId
from tournee.engine.ports import DeathHook
from tournee.engine.postgres.enqueue import EnqueueTransaction, open_transaction
from tournee.engine.postgres.rows import to_claimed, to_dead
from tournee.engine.postgres.session import AGEING, SQL, Session, columns
from tournee.engine.postgres.texts import clean_text

MAX_MESSAGE = 4_000
MAX_STACK = 16_000
PARKED_ATTEMPTS = 10
"""Characters kept of an attempt's error; a stack keeps its end, where the cause stands. Of attempts that met an outage
the latest few are kept."""


CANCELLED = Failure("Cancelled", "cancelled by an operator", "")


class ClaimStore:
    """The worker's part of the ledger."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def claim_jobs(self, ids: Sequence[DispatchId], worker: WorkerId, limit: timedelta) -> Sequence[ClaimedJob]:
        """See the port."""
        rows = await self._session.fetch(SQL.claim_jobs, *columns(ids), worker, limit, prompt=True)
        return [to_claimed(row) for row in rows]

    async def reread_claims(self, ids: Sequence[DispatchId], worker: WorkerId) -> Sequence[ClaimedJob]:
        """See the port."""
        rows = await self._session.fetch(SQL.reread_claims, *columns(ids), worker, prompt=True)
        return [to_claimed(row) for row in rows]

    @asynccontextmanager
    async def complete_in_transaction(
        self, jobs: Sequence[ClaimedJob], completed: Callable[[], Sequence[ClaimedJob]]
    ) -> AsyncIterator[EnqueueTransaction]:
        """See the port."""
        trace = jobs[0].trace_context if len(jobs) == 1 else None
        async with self._session.handlers, open_transaction(self._session, trace) as transaction:
            await _lock_running(transaction.connection, jobs)
            yield transaction
            done = completed()
            rows = await transaction.connection.fetch(SQL.complete_jobs, *_leases(done))
            if len(rows) != len(done):
                raise LeaseLost(_name_lost(done, {row["id"] for row in rows}))

    @asynccontextmanager
    async def step(self, job: ClaimedJob) -> AsyncIterator[EnqueueTransaction]:
        """See the port."""
        async with self._session.handlers, open_transaction(self._session, job.trace_context) as transaction:
            await _lock_running(transaction.connection, [job])
            yield transaction

    async def complete_jobs(self, jobs: Sequence[ClaimedJob]) -> set[JobId]:
        """See the port."""
        rows = await self._session.fetch(SQL.complete_jobs, *_leases(jobs), prompt=True)
        return {JobId(row["id"]) for row in rows}

    async def read_outcome(self, job: ClaimedJob) -> tuple[JobState, int] | None:
        """See the port."""
        row = await self._session.fetch_row(SQL.read_outcome, job.id.job_id, prompt=True)
        return (JobState(row["state"]), row["lease"]) if row else None

    async def fail_job(
        self, job: ClaimedJob, failure: Failure, outcome: str, delay: timedelta, on_dead: DeathHook | None
    ) -> DeadJob | None:
        """See the port."""
        async with open_transaction(self._session, job.trace_context) as transaction:
            connection = transaction.connection
            await _lock_running(connection, [job])
            await record_attempt(connection, job.id.job_id, job.lease, failure, outcome)
            if job.attempt + 1 < job.max_attempts:
                await connection.fetch(SQL.retry_failed, job.id.job_id, job.lease, delay, AGEING)
                return None
            row = await connection.fetchrow(SQL.bury_failed, job.id.job_id, job.lease)
            if row is None:
                raise LeaseLost(str(job.id))
            dead = to_dead(row, failure)
            if on_dead is not None:
                await on_dead(transaction, dead)
        return dead

    async def put_off_jobs(
        self, jobs: Sequence[ClaimedJob], delay: timedelta, *, outage: Failure | None = None, snoozed: bool = False
    ) -> set[JobId]:
        """See the port."""
        async with self._session.transaction(prompt="put_off_jobs") as connection:
            rows = await connection.fetch(
                SQL.put_off_jobs, *_leases(jobs), delay, int(outage is not None), int(snoozed), AGEING
            )
            moved = {JobId(row["id"]) for row in rows}
            if outage is not None:
                for job in (job for job in jobs if job.id.job_id in moved):
                    await record_attempt(connection, job.id.job_id, job.lease, outage, "parked")
                await _trim_parked_attempts(connection, moved)
        return moved

    async def mark_alone(self, job: ClaimedJob) -> bool:
        """See the port."""
        return await self._session.fetch_value(SQL.mark_alone, job.id.job_id, job.lease, prompt=True) is not None

    async def cancel_running(self, job: ClaimedJob, on_cancelled: DeathHook | None) -> bool:
        """See the port."""
        async with open_transaction(self._session, job.trace_context) as transaction:
            row = await transaction.connection.fetchrow(SQL.cancel_running, job.id.job_id, job.lease)
            if row is not None and on_cancelled is not None:
                await on_cancelled(transaction, to_dead(row, CANCELLED))
        return row is not None


async def _trim_parked_attempts(connection: Connection, job_ids: Collection[JobId]) -> None:
    await connection.execute(SQL.trim_parked_attempts, list(job_ids), PARKED_ATTEMPTS)


async def record_attempt(connection: Connection, job_id: int, lease: int, failure: Failure, outcome: str) -> None:
    """Write one attempt, without NUL and within bounds. Worker and start are read from the row that we hold locked."""
    await connection.execute(
        SQL.record_attempt,
        job_id,
        lease,
        outcome,
        clean_text(failure.error_class)[:200],
        clean_text(failure.message)[:MAX_MESSAGE],
        clean_text(failure.stack)[-MAX_STACK:],
    )


def _leases(jobs: Sequence[ClaimedJob]) -> tuple[list[int], list[int]]:
    return [job.id.job_id for job in jobs], [job.lease for job in jobs]


async def _lock_running(connection: Connection, jobs: Sequence[ClaimedJob]) -> None:
    rows = await connection.fetch(SQL.lock_running, *_leases(jobs))
    if len(rows) != len(jobs):
        raise LeaseLost(_name_lost(jobs, {row["id"] for row in rows}))


def _name_lost(jobs: Sequence[ClaimedJob], held: set[int]) -> str:
    lost = [f"{job.id} (lease {job.lease})" for job in jobs if job.id.job_id not in held]
    return f"not ours any more: {', '.join(lost)}"
