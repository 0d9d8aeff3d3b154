"""The ledger's side of the comparison with Redis, and the pruner's.

Keeps invariants 11 and 14: an epoch is committed only after the sweep, and after Redis was told; a flush or a crash at
any point leaves a mismatch that the next look sees.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from tournee.engine.core.job import DispatchId, JobId, JobState, QueueName
from tournee.engine.postgres.session import SQL, Session, columns


class ReconciliationStore:
    """The reconciler's and the pruner's part of the ledger."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def read_epochs(self) -> Mapping[QueueName, int]:
        """See the port."""
        return {QueueName(row["name"]): row["epoch"] for row in await self._session.fetch(SQL.read_epochs, prompt=True)}

    async def renew_epoch(
        self, queue: QueueName, read: Callable[[], Awaitable[int | None]], write: Callable[[int], Awaitable[None]]
    ) -> int | None:
        """See the port."""
        async with self._session.transaction() as connection:
            epoch: int = await connection.fetchval(SQL.lock_epoch, queue)
            if epoch == await read():
                return None
            await write(epoch + 1)
            moved: int = await connection.fetchval(SQL.sweep_queued, queue)
            await connection.execute(SQL.raise_epoch, queue, epoch + 1)
        return moved

    async def list_queued(self, queue: QueueName, minimum_age: timedelta) -> set[DispatchId]:
        """See the port."""
        rows = await self._session.fetch(SQL.list_queued, queue, minimum_age, prompt=True)
        return {DispatchId(JobId(row["id"]), row["dispatch"]) for row in rows}

    async def list_live_dispatches(self, ids: Sequence[DispatchId]) -> Mapping[DispatchId, JobState]:
        """See the port."""
        rows = await self._session.fetch(SQL.list_live_dispatches, *columns(ids), prompt=True)
        return {DispatchId(JobId(row["id"]), row["dispatch"]): JobState(row["state"]) for row in rows}

    async def prune_finished(self, after_id: int, look_at: int, horizon: timedelta) -> tuple[int, bool, int]:
        """See the port."""
        row = await self._session.fetch_row(SQL.prune_finished, after_id, look_at, horizon)
        return row["last_id"], row["reached_end"], row["deleted"]

    async def read_cursor(self, name: str) -> Any:
        """See the port."""
        return await self._session.fetch_value(SQL.read_cursor, name)

    async def write_cursor(self, name: str, value: Any) -> None:
        """See the port."""
        await self._session.execute(SQL.write_cursor, name, value)
