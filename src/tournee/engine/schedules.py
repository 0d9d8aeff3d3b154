"""What operators see and do of schedules; `Engine.schedules`. Each act is audited."""

from __future__ import annotations

from collections.abc import Sequence

from tournee.engine.core.schedule import ScheduleRow
from tournee.engine.ports import Operator
from tournee.engine.ports.schedules import ScheduleStore


class Schedules:
    """The schedules of the ledger, whichever process declares them."""

    def __init__(self, store: ScheduleStore) -> None:
        self._store = store

    async def list_rows(self) -> Sequence[ScheduleRow]:
        """All of them by name, also those that no live process serves."""
        return await self._store.list_schedules()

    async def pause(self, name: str, who: Operator) -> bool:
        """It fires no more until it is resumed, and what falls between is not made up for. False: no such schedule."""
        return await self._store.pause_schedule(name, True, who)

    async def resume(self, name: str, who: Operator) -> bool:
        """Undo `pause`; the next instant is the first that lies ahead."""
        return await self._store.pause_schedule(name, False, who)

    async def forget(self, name: str, who: Operator) -> bool:
        """Remove one that is declared no more. False: no such schedule, or a live process serves it."""
        return await self._store.forget_schedule(name, who)
