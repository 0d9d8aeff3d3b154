"""Schedules as rows: a firing inserts its job and moves the row on, in one transaction under the row's lock.

Keeps: an instant makes one job. Two processes that fire at once take turns at the lock, and the second finds the row
moved on; should an instant ever be fired again, its job's key is there already. All times are PostgreSQL's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from tournee.engine.core.errors import InvalidSchedule
from tournee.engine.core.job import NewJob, QueueName, WorkerId
from tournee.engine.core.payload import to_new_job
from tournee.engine.core.records import Operator
from tournee.engine.core.schedule import Cron, Missed, Schedule, ScheduleRow, plan_firing
from tournee.engine.ports.schedules import Fired
from tournee.engine.postgres.enqueue import insert_jobs, open_transaction
from tournee.engine.postgres.session import SQL, Session

_FIELDS = tuple(field.name for field in fields(ScheduleRow))


class ScheduleLedger:
    """Keeps `ScheduleStore`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def declare_schedules(self, schedules: Sequence[Schedule]) -> None:
        """See the port."""
        if not schedules:
            return
        async with self._session.transaction() as connection:
            now = await connection.fetchval(SQL.read_clock)
            await connection.execute(
                SQL.declare_schedules,
                [schedule.name for schedule in schedules],
                [schedule.cron.expression for schedule in schedules],
                [schedule.cron.time_zone for schedule in schedules],
                [schedule.queue for schedule in schedules],
                [schedule.kind for schedule in schedules],
                [schedule.missed for schedule in schedules],
                [schedule.cron.next_after(now) for schedule in schedules],
            )

    async def lead_schedules(self, names: Sequence[str], holder: WorkerId, duration: timedelta) -> set[str]:
        """See the port."""
        rows = await self._session.fetch(SQL.lead_schedules, list(names), holder, duration)
        return {row["name"] for row in rows}

    async def fire_schedule(self, schedule: Schedule) -> Fired:
        """See the port."""
        async with open_transaction(self._session) as transaction:
            connection = transaction.connection
            found = await connection.fetchrow(SQL.lock_schedule, schedule.name)
            if found is None:
                return Fired()
            row, now = _to_row(found), found["clock"]
            if not row.agrees(schedule):
                # An instant that has fired must not come again under another expression, whatever the clock did.
                after = max(now, row.last_fired_at or now)
                await connection.execute(SQL.redeclare_schedule, *_describe(schedule), schedule.cron.next_after(after))
                return Fired(redeclared=True)
            if row.paused or row.next_at > now:
                return Fired()
            plan = plan_firing(schedule.cron, schedule.missed, row.next_at, now)
            jobs = [_make_job(schedule, instant, now) for instant in plan.instants]
            answers = await insert_jobs(connection, jobs)
            transaction.created.update((schedule.queue, schedule.kind) for answer in answers if answer.created)
            last = plan.instants[-1] if plan.instants else row.last_fired_at
            await connection.execute(SQL.advance_schedule, schedule.name, plan.next_at, last)
        return Fired(plan.instants)

    async def note_schedule_error(self, name: str, error: str) -> None:
        """See the port."""
        told = error.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
        await self._session.execute(SQL.note_schedule_error, name, told)

    async def list_schedules(self) -> Sequence[ScheduleRow]:
        """See the port."""
        return [_to_row(row) for row in await self._session.fetch(SQL.list_schedules)]

    async def pause_schedule(self, name: str, paused: bool, who: Operator) -> bool:
        """See the port."""
        async with self._session.transaction() as connection:
            row = await connection.fetchrow(SQL.lock_schedule, name)
            if row is None:
                return False
            if row["paused"] != paused:
                next_at = row["next_at"] if paused else Cron(row["cron"], row["time_zone"]).next_after(row["clock"])
                await connection.execute(SQL.pause_schedule, name, paused, next_at)
                action = "pause schedule" if paused else "resume schedule"
                await connection.execute(SQL.write_audit, who.name, action, who.reason, {"schedule": name}, [])
        return True

    async def forget_schedule(self, name: str, who: Operator) -> bool:
        """See the port."""
        async with self._session.transaction() as connection:
            forgotten = await connection.fetchval(SQL.forget_schedule, name) is not None
            if forgotten:
                chosen = {"schedule": name}
                await connection.execute(SQL.write_audit, who.name, "forget schedule", who.reason, chosen, [])
        return forgotten


def _describe(schedule: Schedule) -> tuple[str, str, str, str, str, str]:
    cron = schedule.cron
    return schedule.name, cron.expression, cron.time_zone, schedule.queue, schedule.kind, schedule.missed


def _make_job(schedule: Schedule, instant: datetime, now: datetime) -> NewJob:
    firing = schedule.build_firing(instant, now)
    job = to_new_job(schedule.make_payload(firing))
    if (job.queue, job.kind) != (schedule.queue, schedule.kind):
        raise InvalidSchedule(f"it made a job of {job.kind!r} in {job.queue!r}, and was declared for another")
    # The key is the instant's, whatever the payload would say: two firings of one instant are one job.
    return replace(job, key=firing.key)


def _to_row(row: Any) -> ScheduleRow:
    values = {name: row[name] for name in _FIELDS}
    values["queue"] = QueueName(values["queue"])
    values["missed"] = Missed(values["missed"])
    return ScheduleRow(**values)
