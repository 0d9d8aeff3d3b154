"""The schedules' part of the ledger, as the scheduler and operators see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from tournee.engine.core.job import WorkerId
from tournee.engine.core.records import Operator
from tournee.engine.core.schedule import Schedule, ScheduleRow


@dataclass(frozen=True, slots=True)
class Fired:
    """What one look at a schedule did."""

    instants: Sequence[datetime] = ()
    """Those that made a job now."""
    redeclared: bool = False
    """The row said something else than this process declares, and says it now; its next instant is computed anew."""


class ScheduleStore(Protocol):
    """Schedules. Raises `LedgerUnavailable` or `LedgerContended`; each method commits a transaction of its own."""

    async def declare_schedules(self, schedules: Sequence[Schedule]) -> None:
        """Make schedules known that have no row yet; their first instant lies ahead. Changes no other."""
        ...

    async def lead_schedules(self, names: Sequence[str], holder: WorkerId, duration: timedelta) -> set[str]:
        """Take or renew the lead of these schedules; answers those that no other process leads."""
        ...

    async def fire_schedule(self, schedule: Schedule) -> Fired:
        """Under the row's lock: if an instant has come, insert its job and move on to the next; if the row differs from
        the declaration, write the declaration instead. Whatever `make_payload` raises rolls back and passes.
        """
        ...

    async def note_schedule_error(self, name: str, error: str) -> None:
        """Why a schedule could not be fired; the next firing that succeeds wipes it."""
        ...

    async def list_schedules(self) -> Sequence[ScheduleRow]: ...

    async def pause_schedule(self, name: str, paused: bool, who: Operator) -> bool:
        """Audited. What falls into a pause is not made up for. False: no such schedule."""
        ...

    async def forget_schedule(self, name: str, who: Operator) -> bool:
        """Remove a schedule that no live process declares. Audited. False: no such schedule, or it is served."""
        ...
