"""The scheduler: fires the schedules that this process declares and leads.

Keeps: each schedule is led by one process at a time, so that a rolling deploy in which two releases declare different
schedules leaves none without a leader. Who leads decides only who does the work: that an instant makes one job is kept
by the ledger. Refuses to fire what this process does not declare: what a schedule makes stands in code.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import structlog

from tournee.engine.core.job import WorkerId
from tournee.engine.core.schedule import Schedule
from tournee.engine.ports import LedgerContended, LedgerUnavailable
from tournee.engine.ports.schedules import ScheduleStore

log = structlog.get_logger(__name__)

MAX_ERROR = 500


class Scheduler:
    """Looks at the schedules of one process."""

    def __init__(
        self,
        store: ScheduleStore,
        schedules: Sequence[Schedule],
        holder: WorkerId,
        lead_for: timedelta,
    ) -> None:
        self._store = store
        self._schedules = {schedule.name: schedule for schedule in schedules}
        self._holder = holder
        self._lead_for = lead_for

    async def run(self) -> int:
        """One look: lead what can be led, fire what is due. Answers how many instants made a job."""
        led = await self._store.lead_schedules(sorted(self._schedules), self._holder, self._lead_for)
        rows = {row.name: row for row in await self._store.list_schedules()} if led else {}
        fired = 0
        for name in sorted(led):
            schedule, row = self._schedules[name], rows.get(name)
            if row is None:
                await self._store.declare_schedules([schedule])
            elif not row.agrees(schedule) or (row.due and not row.paused):
                fired += await self._fire(schedule, row.last_error)
        return fired

    async def _fire(self, schedule: Schedule, last_error: str | None) -> int:
        try:
            fired = await self._store.fire_schedule(schedule)
        except (LedgerUnavailable, LedgerContended):
            raise
        except Exception as error:
            # A payload that can't be made holds up no other schedule; it is tried again with the next look.
            told = f"{type(error).__name__}: {error}"[:MAX_ERROR]
            if told != last_error:
                log.exception("a schedule could not be fired", schedule=schedule.name)
                await self._store.note_schedule_error(schedule.name, told)
            return 0
        if fired.redeclared:
            log.info("schedule changed", schedule=schedule.name, cron=schedule.cron.expression)
        if fired.instants:
            log.info("schedule fired", schedule=schedule.name, jobs=len(fired.instants))
        return len(fired.instants)
