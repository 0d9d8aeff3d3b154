"""Workers as the ledger sees them: announcements, heartbeats, rescue, leadership.

Keeps invariant 9: what was running when its process died is a suspect, and only a crash while alone is charged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import structlog

from tournee.engine.core.job import DeadJob, Failure, JobId, WorkerId
from tournee.engine.ports import DeathHook, HeldClaim, LedgerContended, LedgerUnavailable, Rescued, WorkerRow
from tournee.engine.postgres.claims import record_attempt
from tournee.engine.postgres.enqueue import EnqueueTransaction, open_transaction
from tournee.engine.postgres.rows import to_dead, to_worker
from tournee.engine.postgres.session import SQL, Session

log = structlog.get_logger(__name__)

CRASHES_ALLOWED = 2
"""A job that kills its worker this often, running alone, is dead."""

CRASHED = Failure(
    "WorkerDied",
    "the worker process died while it ran this job alone",
    "",
)


class WorkerStore:
    """The heartbeat's and the rescuer's part of the ledger."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def register_worker(self, worker: WorkerRow) -> None:
        """See the port."""
        await self._session.execute(
            SQL.register_worker, worker.id, worker.name, worker.host, worker.pid, dict(worker.queues)
        )

    async def beat_worker(self, id: WorkerId, queues: Mapping[str, Mapping[str, float]], stopping: bool) -> bool:
        """See the port."""
        return await self._session.fetch_value(SQL.beat_worker, id, dict(queues), stopping, prompt=True) is not None

    async def list_claims(self, worker: WorkerId) -> Sequence[HeldClaim]:
        """See the port."""
        rows = await self._session.fetch(SQL.list_claims, worker, prompt=True)
        return [HeldClaim(JobId(row["id"]), row["lease"], row["cancel_requested"]) for row in rows]

    async def read_workers(self) -> Sequence[WorkerRow]:
        """See the port."""
        return [to_worker(row) for row in await self._session.fetch(SQL.read_workers, prompt=True)]

    async def report_dead_worker(self, pids: Sequence[int], host: str) -> int:
        """See the port."""
        return len(await self._session.fetch(SQL.report_dead_worker, [], list(pids), host))

    async def forget_workers(self, ids: Sequence[WorkerId]) -> None:
        """See the port."""
        await self._session.execute(SQL.forget_workers, list(ids))

    async def rescue_jobs(
        self, dead_workers: Sequence[WorkerId], on_dead: Callable[[str], DeathHook | None], limit: int = 500
    ) -> Rescued:
        """See the port."""
        async with self._session.transaction() as connection:
            rows = await connection.fetch(SQL.list_orphaned_claims, list(dead_workers), limit)
            doomed = [row for row in rows if row["crashed"] and row["alone"] and row["crashes"] + 1 >= CRASHES_ALLOWED]
            doomed_ids = {row["id"] for row in doomed}
            saved = [row for row in rows if row["id"] not in doomed_ids]
            moved = await connection.fetch(
                SQL.rescue_jobs,
                [row["id"] for row in saved],
                [row["lease"] for row in saved],
                [row["crashed"] for row in saved],
            )
        dead = [await self._bury_crashed(row["id"], row["lease"], on_dead) for row in doomed]
        return Rescued([JobId(row["id"]) for row in moved], [job for job in dead if job is not None])

    async def _bury_crashed(
        self, job_id: int, lease: int, on_dead: Callable[[str], DeathHook | None]
    ) -> DeadJob | None:
        """In a transaction of its own: a hook that fails leaves this row to the next look and spares the others."""
        try:
            async with open_transaction(self._session) as transaction:
                row = await transaction.connection.fetchrow(SQL.bury_crashed, job_id, lease)
                if row is None:
                    return None
                await record_attempt(transaction.connection, job_id, lease, CRASHED, "crashed")
                dead = to_dead(row, CRASHED)
                hook = on_dead(dead.kind)
                if hook is not None:
                    await hook(EnqueueTransaction(transaction.connection, dead.trace_context), dead)
        except (LedgerUnavailable, LedgerContended):
            raise
        except Exception:
            log.exception("a crashed job could not be buried", job=job_id)
            return None
        return dead

    async def take_leadership(self, role: str, holder: WorkerId, duration: timedelta) -> bool:
        """See the port."""
        return await self._session.fetch_value(SQL.take_leadership, role, holder, duration, prompt=True) is not None

    async def drop_leadership(self, holder: WorkerId) -> None:
        """See the port."""
        await self._session.execute(SQL.drop_leadership, holder)
