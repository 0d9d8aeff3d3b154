"""Jobs that recur: when a schedule fires, what it makes of time that it missed, and under which key. Pure.

Keeps: an instant has one key, so that however often and by whomever a schedule is fired, an instant makes one job.
Instants are moments in UTC; a schedule's time zone says which. Refuses an expression or a zone that means nothing, and
one that never comes.

Daylight saving, by the rules of Debian's cron: a schedule with a set minute and hour fires once a day. What falls into
the hour that is skipped in spring fires at the first moment after it; what falls into the hour that comes twice in
autumn fires at its first coming. A schedule that begins its minute or hour with a star goes by time elapsed: it does
not fire in the skipped hour and fires in both of the doubled one.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from tournee.engine.core.errors import InvalidSchedule
from tournee.engine.core.job import QueueName
from tournee.engine.core.payload import Payload

MAX_MISSED = 100
"""How many missed instants `Missed.ALL` makes up for; the older ones are left out."""
GRACE = timedelta(seconds=30)
"""How late a firing may be and still count as on time: longer than a fail-over, shorter than an outage."""
FIRST_SPAN = timedelta(minutes=2)
TABLE_SHIFT = timedelta(hours=3)
"""How far a new time zone table may move an instant that was computed with the old one."""

NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Missed(StrEnum):
    """What becomes of the instants that passed while nobody could fire them."""

    LATEST = "latest"
    """One job, for the latest of them."""
    ALL = "all"
    """A job for each, `MAX_MISSED` at most, the latest ones."""
    SKIP = "skip"
    """None; what is late by no more than `GRACE` was not missed."""


@dataclass(frozen=True, slots=True)
class Firing:
    """One instant of a schedule, for whoever makes its payload."""

    schedule: str
    scheduled_at: datetime
    """The instant, in the schedule's time zone."""
    fired_at: datetime
    """When it was seen to be due, by PostgreSQL's clock."""

    @property
    def key(self) -> str:
        """The job's key: name and instant."""
        return f"{self.schedule}@{self.scheduled_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


class Cron:
    """A cron expression in a time zone. Raises `InvalidSchedule` for what is none."""

    def __init__(self, expression: str, time_zone: str) -> None:
        self.expression = expression
        self.time_zone = time_zone
        try:
            self._zone = ZoneInfo(time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise InvalidSchedule(f"no IANA time zone {time_zone!r}") from error
        self._fields = NICKNAMES.get(expression, expression)
        try:
            next(CronSim(self._fields, datetime(2000, 1, 1, tzinfo=UTC)))
        except CronSimError as error:
            raise InvalidSchedule(f"{expression!r} is no cron expression: {error}") from error
        except StopIteration:
            raise InvalidSchedule(f"{expression!r} never comes") from None

    def localise(self, instant: datetime) -> datetime:
        """The same moment, in the schedule's time zone."""
        return instant.astimezone(self._zone)

    def next_after(self, moment: datetime) -> datetime:
        """The first instant after `moment`, in UTC."""
        return next(self.walk(moment))

    def falls_on(self, moment: datetime) -> bool:
        """Whether a moment is an instant."""
        return self.next_after(moment - timedelta(seconds=1)) == moment

    def walk(self, after: datetime) -> Iterator[datetime]:
        """All instants after a moment, each later than the one before."""
        last = after
        for local in CronSim(self._fields, self.localise(after)):
            instant = local.astimezone(UTC)
            # Two local times of a skipped hour are one instant; in a doubled hour the first coming may be behind us.
            if instant > last:
                last = instant
                yield instant

    def list_latest(self, first: datetime, until: datetime, at_most: int) -> list[datetime]:
        """The latest instants from `first` to `until`, both included, oldest first.

        Looks back over a span that grows until it holds enough, so that a year's downtime costs no more than a day's.
        """
        start = first - timedelta(seconds=1)
        span = FIRST_SPAN
        while True:
            begin = max(start, until - span)
            found: deque[datetime] = deque(maxlen=at_most)
            for instant in self.walk(begin):
                if instant > until:
                    break
                if instant >= first:
                    found.append(instant)
            if len(found) == at_most or begin == start:
                return list(found)
            span *= 4


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule as a process declares it. `make_payload` is called inside the firing's transaction: it reads nothing
    but its argument, and is quick. The job's key is the firing's: the payload's own `key()` must be valid and counts
    for nothing.
    """

    name: str
    cron: Cron
    make_payload: Callable[[Firing], Payload]
    queue: QueueName
    kind: str
    missed: Missed = Missed.LATEST

    def build_firing(self, instant: datetime, now: datetime) -> Firing:
        """What `make_payload` is given."""
        return Firing(self.name, self.cron.localise(instant), now)


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """A schedule as it stands in the ledger."""

    name: str
    cron: str
    time_zone: str
    queue: QueueName
    kind: str
    missed: Missed
    paused: bool
    next_at: datetime
    last_fired_at: datetime | None
    last_error: str | None
    """Why its latest firing could not be made; None once one succeeded."""
    served: bool
    """A live process declares it and fires it. False: it does not fire."""
    due: bool
    """Its next instant has come, by PostgreSQL's clock."""

    def agrees(self, schedule: Schedule) -> bool:
        """Whether the row says what the process declares."""
        declared = (schedule.cron.expression, schedule.cron.time_zone, schedule.queue, schedule.kind, schedule.missed)
        return (self.cron, self.time_zone, self.queue, self.kind, self.missed) == declared


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done with a schedule that is due."""

    instants: Sequence[datetime]
    next_at: datetime


def plan_firing(
    cron: Cron, missed: Missed, next_at: datetime, now: datetime, last_fired_at: datetime | None = None
) -> Plan:
    """Which instants, of those from `next_at` to `now`, make a job; and which instant is next."""
    at_most = MAX_MISSED if missed is Missed.ALL else 1
    first = next_at
    if not cron.falls_on(next_at):
        # A new time zone table has moved it. Where it is earlier now it is behind us, and must not get lost.
        first = max(next_at - TABLE_SHIFT, (last_fired_at or next_at - TABLE_SHIFT) + timedelta(seconds=1))
    instants = cron.list_latest(first, now, at_most)
    if missed is Missed.SKIP:
        instants = [instant for instant in instants if now - instant <= GRACE]
    return Plan(instants, cron.next_after(now))


def check_name(name: str) -> str:
    """Let only names through that can stand in a key and in a command. Raises `InvalidSchedule`."""
    if not _NAME.fullmatch(name):
        raise InvalidSchedule(f"a schedule's name is 1 to 100 letters, digits, dots, dashes or underscores: {name!r}")
    return name
