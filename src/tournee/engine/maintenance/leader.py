"""One process at a time: a role is held by a lease row in the ledger, by PostgreSQL's clock."""

from __future__ import annotations

from datetime import timedelta

from tournee.engine.core.job import WorkerId
from tournee.engine.ports import JobStore


class Leadership:
    """A role that this process plays while it holds the lease."""

    def __init__(self, store: JobStore, role: str, holder: WorkerId, duration: timedelta) -> None:
        self._store = store
        self._role = role
        self._holder = holder
        self._duration = duration

    async def take(self) -> bool:
        """Take or renew the lease; False while another process holds it."""
        return await self._store.take_leadership(self._role, self._holder, self._duration)
