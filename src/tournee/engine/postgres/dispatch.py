"""Dispatch: what the relay marks, and what goes back when Redis did not take it.

Keeps invariants 11 and 12 on the ledger's side: a mark commits before anything is added to Redis, and a row whose
run_at lies ahead is never marked.
"""

from __future__ import annotations

from collections.abc import Sequence

from tournee.db.pool import Connection
from tournee.engine.core.job import Dispatchable, DispatchId, JobId, Priority, QueueName
from tournee.engine.ports import Gate, Marked, QueueDeclaration, Room
from tournee.engine.postgres.rows import to_dispatchable
from tournee.engine.postgres.session import SQL, Session, columns

TENANTS_PER_FILL = 1000
"""How many tenants one fill visits at most; the next fill goes on behind the last."""
PROMOTE_AT_ONCE = 10_000


class DispatchStore:
    """The relay's part of the ledger."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def declare_queues(self, queues: Sequence[QueueDeclaration]) -> None:
        """See the port."""
        await self._session.execute(
            SQL.declare_queues,
            [queue.name for queue in queues],
            [queue.priority for queue in queues],
            [queue.provider for queue in queues],
            [queue.max_attempts for queue in queues],
        )

    async def read_gate(self, queue: QueueName) -> Gate:
        """See the port."""
        row = await self._session.fetch_row(SQL.read_gate, queue)
        if row is None:
            raise LookupError(f"queue {queue} was never declared")
        return Gate(
            paused=row["paused"],
            provider=row["provider"],
            breaker=row["breaker"],
            breaker_due=row["breaker_due"],
            closed_for_seconds=row["closed_for"],
            epoch=row["epoch"],
            concurrency=row["concurrency"],
            consumed_per_second=row["consumed"],
        )

    async def mark_queued(self, queue: QueueName, room: Room) -> Marked:
        """See the port."""
        async with self._session.transaction() as connection:
            if not await _take_fill_locks(connection, queue, room):
                return Marked([], 0)
            seen = await connection.fetchrow(SQL.promote_due, queue, PROMOTE_AT_ONCE, room.provider is not None)
            assert seen is not None, "the queue was declared"
            cursor, left = seen["tenant_cursor"], room.limit - seen["inflight"]
            need, urgent = max(0, left), max(0, left + room.urgent_reserve)
            if urgent == 0:
                return Marked([], 0)
            visit = max(1, min(need, TENANTS_PER_FILL))
            rows = await connection.fetch(SQL.mark_queued, queue, need, cursor, visit, urgent)
            if rows and rows[0]["last_tenant"] not in (None, cursor):
                await connection.execute(SQL.move_tenant_cursor, queue, rows[0]["last_tenant"])
            stacks = await _read_stacks(connection, [row["id"] for row in rows if row["attempt"] > 0])
        return Marked(_put_in_order([to_dispatchable(row, stacks.get(row["id"], ())) for row in rows]), need)

    async def half_open_breaker(self, provider: str) -> None:
        """See the port."""
        async with self._session.transaction() as connection:
            for row in await connection.fetch(SQL.half_open_breaker, provider):
                await connection.fetchval(SQL.sweep_queued, row["name"])

    async def return_queued(self, ids: Sequence[DispatchId]) -> Sequence[JobId]:
        """See the port."""
        if not ids:
            return []
        return [JobId(row["id"]) for row in await self._session.fetch(SQL.return_queued, *columns(ids))]


async def _take_fill_locks(connection: Connection, queue: QueueName, room: Room) -> bool:
    locks = [queue] if room.provider is None else [queue, f"provider:{room.provider}"]
    for lock in locks:
        if not await connection.fetchval(SQL.try_fill_lock, lock):
            return False
    return True


def _put_in_order(jobs: Sequence[Dispatchable]) -> list[Dispatchable]:
    # Each urgent one is put before all that waits, so the first to run must be the last to be added.
    urgent = [job for job in jobs if job.priority is Priority.URGENT]
    return [*(job for job in jobs if job.priority is not Priority.URGENT), *reversed(urgent)]


async def _read_stacks(connection: Connection, job_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    if not job_ids:
        return {}
    rows = await connection.fetch(SQL.read_stacks, job_ids)
    return {row["job_id"]: tuple(row["stacks"]) for row in rows}
