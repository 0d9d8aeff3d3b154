"""What operators do and see: status, lists, cancel, redrive, discard, pause.

Keeps invariant 7: a terminal state changes only here, and each change is written to the audit log in its transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeAlias

from tournee.db.pool import Connection
from tournee.engine.core.job import DeadJob, Failure, JobId, JobState, QueueName
from tournee.engine.ports import (
    AttemptRow,
    DeadQuery,
    DeathHook,
    JobQuery,
    JobRow,
    Operator,
    QueueStatus,
)
from tournee.engine.postgres.enqueue import EnqueueTransaction
from tournee.engine.postgres.rows import to_dead
from tournee.engine.postgres.session import AGEING, SQL, Session

LIVE = frozenset({JobState.PENDING, JobState.QUEUED, JobState.RUNNING, JobState.DEAD})
"""States that narrow tables find without reading the finished rows."""

_JOB_FIELDS = tuple(field.name for field in fields(JobRow))
_ATTEMPT_FIELDS = tuple(field.name for field in fields(AttemptRow))


Hooks: TypeAlias = Callable[[str], DeathHook | None]
"""From a job's kind to what runs in the transaction of the operator's action."""

BY_OPERATOR = Failure("Operator", "changed by an operator", "")


class OperationsStore:
    """The operators' part of the ledger."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def read_status(self, finished: bool) -> Sequence[QueueStatus]:
        """See the port."""
        rows = await self._session.fetch(SQL.read_live_counts)
        counts = await self._session.fetch(SQL.read_finished_counts) if finished else []
        by_queue = {row["queue"]: row for row in counts}
        return [_to_status(row, by_queue.get(row["name"])) for row in rows]

    async def list_jobs(self, query: JobQuery) -> Sequence[JobRow]:
        """See the port."""
        states = list(query.states) if query.states is not None else None
        chosen = (
            query.queue,
            states,
            query.kind,
            query.key,
            query.tenant,
            query.created_after,
            query.created_before,
            query.below_id,
            query.limit,
        )
        if states is not None and query.ids is None and set(states) <= LIVE:
            rows = await self._session.fetch(SQL.list_live_jobs, *chosen)
        else:
            ids = list(query.ids) if query.ids is not None else None
            rows = await self._session.fetch(SQL.list_jobs, *chosen, ids)
        return [_to_job(row) for row in rows]

    async def find_jobs(self, keys: Sequence[tuple[str, str]]) -> Sequence[JobRow]:
        """See the port."""
        rows = await self._session.fetch(SQL.find_jobs_by_key, [queue for queue, _ in keys], [key for _, key in keys])
        return [_to_job(row) for row in rows]

    async def list_attempts(self, ids: Sequence[int]) -> Sequence[AttemptRow]:
        """See the port."""
        rows = await self._session.fetch(SQL.list_attempts, list(ids))
        return [AttemptRow(**{name: row[name] for name in _ATTEMPT_FIELDS}) for row in rows]

    async def list_dead(self, query: DeadQuery) -> Sequence[DeadJob]:
        """See the port."""
        rows = await self._session.fetch(
            SQL.list_dead,
            query.queue,
            query.kind,
            query.key,
            query.tenant,
            query.error,
            query.died_after,
            query.died_before,
            list(query.ids) if query.ids is not None else None,
            query.limit,
            query.offset,
        )
        return [to_dead(row, Failure(row["error_class"], row["message"], row["stack"])) for row in rows]

    async def read_dead_fingerprint(self) -> tuple[int, str]:
        """See the port."""
        row = await self._session.fetch_row(SQL.read_dead_fingerprint)
        return row["letters"], row["fingerprint"]

    async def cancel_jobs(self, ids: Sequence[int], who: Operator, on_cancelled: Hooks) -> Mapping[JobId, JobState]:
        """See the port."""
        async with self._session.transaction() as connection:
            locked = await connection.fetch(SQL.lock_cancellable, list(ids))
            rows = await connection.fetch(SQL.cancel_jobs, [row["id"] for row in locked])
            await _run_hooks(connection, [row for row in rows if row["state"] == JobState.CANCELLED], on_cancelled)
            await write_audit(connection, who, "cancel", [row["id"] for row in rows])
        return {JobId(row["id"]): JobState(row["state"]) for row in rows}

    async def redrive_dead(self, ids: Sequence[int], who: Operator, on_redrive: Hooks) -> Sequence[DeadJob]:
        """See the port."""
        async with self._session.transaction() as connection:
            rows = await connection.fetch(SQL.redrive_dead, list(ids), AGEING)
            jobs = await _run_hooks(connection, rows, on_redrive)
            await write_audit(connection, who, "redrive", [job.job_id for job in jobs])
        return jobs

    async def discard_dead(self, ids: Sequence[int], who: Operator, on_cancelled: Hooks) -> Sequence[JobId]:
        """See the port."""
        async with self._session.transaction() as connection:
            rows = await connection.fetch(SQL.discard_dead, list(ids))
            await _run_hooks(connection, rows, on_cancelled)
            await write_audit(connection, who, "discard", [row["id"] for row in rows])
        return [JobId(row["id"]) for row in rows]

    async def pause_queue(self, queue: QueueName, paused: bool, who: Operator) -> bool:
        """See the port."""
        async with self._session.transaction() as connection:
            known = await connection.fetchval(SQL.pause_queue, queue, paused) is not None
            if known:
                await write_audit(connection, who, "pause" if paused else "resume", [], {"queue": queue})
        return known


async def _run_hooks(connection: Connection, rows: Sequence[Any], hooks: Hooks) -> list[DeadJob]:
    jobs = [to_dead(row, BY_OPERATOR) for row in rows]
    for job in jobs:
        hook = hooks(job.kind)
        if hook is not None:
            await hook(EnqueueTransaction(connection, job.trace_context), job)
    return jobs


async def write_audit(
    connection: Connection, who: Operator, action: str, ids: Sequence[int], chosen: Mapping[str, Any] | None = None
) -> None:
    """Write who did what and why, in the transaction of the act; nothing for an act that touched nothing."""
    if ids or chosen:
        await connection.execute(
            SQL.write_audit, who.name, action, who.reason, dict(chosen or who.filter or {}), list(ids)
        )


def _to_job(row: Any) -> JobRow:
    values = {name: row[name] for name in _JOB_FIELDS}
    values["state"] = JobState(values["state"])
    return JobRow(**values)


def _to_status(row: Any, finished: Any) -> QueueStatus:
    return QueueStatus(
        queue=QueueName(row["name"]),
        priority=row["priority"],
        provider=row["provider"],
        paused=row["paused"],
        breaker=row["breaker"],
        pending=row["pending"],
        scheduled=row["scheduled"],
        queued=row["queued"],
        running=row["running"],
        completed=finished["completed"] if finished else 0,
        dead=row["dead"],
        cancelled=finished["cancelled"] if finished else 0,
        oldest_pending_at=row["oldest"],
        epoch=row["epoch"],
    )
