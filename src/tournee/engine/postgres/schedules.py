"""Schedules as rows: a firing inserts its job and moves the row on, in one transaction under the row's lock.

Keeps: an instant makes one job. Two processes that fire at once take turns at the lock, and the second finds the row
moved on; should an instant ever be fired again, its job's key is there already. All times are PostgreSQL's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from tournee.db.pool import Connection
from tournee.engine.core.errors import InvalidSchedule
from tournee.engine.core.job import NewJob, QueueName, WorkerId
from tournee.engine.core.payload import to_new_job
from tournee.engine.core.records import Operator
from tournee.engine.core.schedule import Cron, Missed, Schedule, ScheduleRow, plan_firing
from tournee.engine.ports.schedules import Fired
from tournee.engine.postgres.enqueue import insert_jobs, open_transaction
from tournee.engine.postgres.operations import write_audit
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
            now = await _read_clock(connection)
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
            locked = await _lock_schedule(connection, schedule.name)
            if locked is None:
                return Fired()
            row, now = locked
            if not row.agrees(schedule):
                # An instant that has fired must not come again under another expression, whatever the clock did.
                await _redeclare_schedule(connection, schedule, max(now, row.last_fired_at or now))
                return Fired(redeclared=True)
            if row.paused or row.next_at > now:
                return Fired()
            plan = plan_firing(schedule.cron, schedule.missed, row.next_at, now, row.last_fired_at)
            jobs = [make_job(schedule, instant, now) for instant in plan.instants]
            answers = await insert_jobs(connection, jobs)
            transaction.created.update((schedule.queue, schedule.kind) for answer in answers if answer.created)
            last = plan.instants[-1] if plan.instants else row.last_fired_at
            await _advance_schedule(connection, schedule.name, plan.next_at, last)
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
            locked = await _lock_schedule(connection, name)
            if locked is None:
                return False
            row, now = locked
            if row.paused != paused:
                next_at = row.next_at if paused else Cron(row.cron, row.time_zone).next_after(now)
                await connection.execute(SQL.pause_schedule, name, paused, next_at)
                action = "pause schedule" if paused else "resume schedule"
                await write_audit(connection, who, action, [], {"schedule": name})
        return True

    async def forget_schedule(self, name: str, who: Operator) -> bool:
        """See the port."""
        async with self._session.transaction() as connection:
            forgotten = await connection.fetchval(SQL.forget_schedule, name) is not None
            if forgotten:
                await write_audit(connection, who, "forget schedule", [], {"schedule": name})
        return forgotten


async def _read_clock(connection: Connection) -> datetime:
    now: datetime = await connection.fetchval(SQL.read_clock)
    return now


async def _lock_schedule(connection: Connection, name: str) -> tuple[ScheduleRow, datetime] | None:
    """The row, locked, and PostgreSQL's clock."""
    row = await connection.fetchrow(SQL.lock_schedule, name)
    return (_to_row(row), row["clock"]) if row else None


async def _redeclare_schedule(connection: Connection, schedule: Schedule, after: datetime) -> None:
    cron = schedule.cron
    described = (schedule.name, cron.expression, cron.time_zone, schedule.queue, schedule.kind, schedule.missed)
    await connection.execute(SQL.redeclare_schedule, *described, cron.next_after(after))


async def _advance_schedule(connection: Connection, name: str, next_at: datetime, last: datetime | None) -> None:
    await connection.execute(SQL.advance_schedule, name, next_at, last)


def make_job(schedule: Schedule, instant: datetime, now: datetime) -> NewJob:
    """The job of one instant. Raises whatever `make_payload` raises, and `InvalidSchedule` for another kind of job."""
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
