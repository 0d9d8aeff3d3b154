"""When a schedule fires: cron expressions in time zones, daylight saving, and what becomes of missed instants."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.engine import Work
from tournee.engine.client import Firing, InvalidSchedule, Missed, Registry
from tournee.engine.core.schedule import GRACE, MAX_MISSED, Cron, plan_firing

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
ZONES = (BERLIN, NEW_YORK, LORD_HOWE, "Africa/Cairo", "America/St_Johns", "Asia/Kathmandu", "UTC")
EXPRESSIONS = ("30 2 * * *", "0,30 2 * * *", "0 0 * * *", "15 1-3 * * *", "20 */2 * * *", "*/20 * * * *", "30 * * * *")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def list_from(cron: Cron, after: datetime, count: int) -> list[str]:
    return [f"{instant:%m-%d %H:%M}" for instant in itertools.islice(cron.walk(after), count)]


def test_an_expression_is_read_in_its_time_zone() -> None:
    cron = Cron("30 8 * * 1-5", BERLIN)
    # Friday evening: Monday is next, and summer time is two hours ahead of UTC.
    assert cron.next_after(utc(2026, 7, 3, 20)) == utc(2026, 7, 6, 6, 30)
    assert Cron("@daily", "Asia/Kathmandu").next_after(utc(2026, 1, 1)) == utc(2026, 1, 1, 18, 15)


def test_what_falls_into_the_skipped_hour_fires_once_at_the_first_moment_after_it() -> None:
    # Berlin, 29 March 2026: 02:00 to 03:00 does not exist; 03:00 is 01:00 UTC.
    assert list_from(Cron("30 2 * * *", BERLIN), utc(2026, 3, 28), 3) == ["03-28 01:30", "03-29 01:00", "03-30 00:30"]
    assert list_from(Cron("0,30 2 * * *", BERLIN), utc(2026, 3, 29), 2) == ["03-29 01:00", "03-30 00:00"]


def test_what_falls_into_the_doubled_hour_fires_at_its_first_coming_only() -> None:
    # Berlin, 25 October 2026: 02:00 to 03:00 comes at 00:00 UTC and again at 01:00 UTC.
    cron = Cron("30 2 * * *", BERLIN)
    assert list_from(cron, utc(2026, 10, 24), 3) == ["10-24 00:30", "10-25 00:30", "10-26 01:30"]
    assert cron.next_after(utc(2026, 10, 25, 1, 10)) == utc(2026, 10, 26, 1, 30)


def test_a_star_goes_by_the_time_that_elapses() -> None:
    hourly = Cron("30 * * * *", BERLIN)
    assert list_from(hourly, utc(2026, 3, 29), 3) == ["03-29 00:30", "03-29 01:30", "03-29 02:30"]
    assert list_from(hourly, utc(2026, 10, 25), 3) == ["10-25 00:30", "10-25 01:30", "10-25 02:30"]
    # The half hour that Lord Howe skips holds no full hour and leaves one out.
    assert list_from(Cron("0 * * * *", LORD_HOWE), utc(2026, 10, 3, 14), 2) == ["10-03 14:30", "10-03 16:00"]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(ZONES),
    st.sampled_from(EXPRESSIONS),
    st.datetimes(datetime(2026, 3, 1), datetime(2026, 11, 2), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(1, 2_000),
)
def test_instants_do_not_depend_on_where_the_walk_begins(
    zone: str, expression: str, start: datetime, minutes: int
) -> None:
    cron = Cron(expression, zone)
    instants = list(itertools.islice(cron.walk(start), 6))
    assert instants == sorted(set(instants))
    between = start + timedelta(minutes=minutes)
    expected = next((instant for instant in instants if instant > between), None)
    assert expected is None or cron.next_after(between) == expected
    assert cron.list_latest(instants[0], instants[-1], 3) == instants[-3:]


@pytest.mark.parametrize(
    ("expression", "zone", "told"),
    [
        ("61 * * * *", "UTC", "no cron expression: Bad minute"),
        ("* * *", "UTC", "no cron expression: Wrong number of fields"),
        ("0 0 30 2 *", "UTC", "no cron expression: Bad day-of-month"),
        ("@reboot", "UTC", "no cron expression"),
        ("* * * * *", "Mars/Olympus", "no IANA time zone"),
        ("* * * * *", "", "no IANA time zone"),
        ("* * * * *", "../../etc/passwd", "no IANA time zone"),
    ],
)
def test_what_means_nothing_is_refused_at_declaration(expression: str, zone: str, told: str) -> None:
    with pytest.raises(InvalidSchedule, match=told):
        Cron(expression, zone)


def test_missed_instants_make_one_job_or_each_one_or_none() -> None:
    cron, first, now = Cron("0 * * * *", "UTC"), utc(2026, 5, 1, 3), utc(2026, 5, 1, 6, 20)

    def plan(missed: Missed) -> list[int]:
        planned = plan_firing(cron, missed, first, now)
        assert planned.next_at == utc(2026, 5, 1, 7)
        return [instant.hour for instant in planned.instants]

    assert plan(Missed.LATEST) == [6]
    assert plan(Missed.ALL) == [3, 4, 5, 6]
    assert plan(Missed.SKIP) == []


def test_a_little_late_was_not_missed() -> None:
    cron, instant = Cron("0 * * * *", "UTC"), utc(2026, 5, 1, 3)
    assert plan_firing(cron, Missed.SKIP, instant, instant + GRACE).instants == [instant]
    assert plan_firing(cron, Missed.SKIP, instant, instant + GRACE + timedelta(seconds=1)).instants == []


def test_at_most_a_hundred_missed_instants_are_made_up_for_the_latest_ones() -> None:
    cron, first, now = Cron("* * * * *", BERLIN), utc(2025, 1, 1), utc(2026, 1, 1)
    instants = plan_firing(cron, Missed.ALL, first, now).instants
    assert (len(instants), instants[0], instants[-1]) == (MAX_MISSED, now - timedelta(minutes=99), now)


def test_an_instant_that_a_new_time_zone_table_moved_fires_once_where_it_is_now() -> None:
    cron = Cron("0 3 * * *", BERLIN)  # at 01:00 UTC by today's table
    earlier = plan_firing(cron, Missed.LATEST, utc(2026, 5, 1, 2), utc(2026, 5, 1, 2), utc(2026, 4, 30, 1))
    assert (list(earlier.instants), earlier.next_at) == ([utc(2026, 5, 1, 1)], utc(2026, 5, 2, 1))
    fired = plan_firing(cron, Missed.LATEST, utc(2026, 5, 1, 2), utc(2026, 5, 1, 2), utc(2026, 5, 1, 1))
    assert (list(fired.instants), fired.next_at) == ([], utc(2026, 5, 2, 1))
    later = plan_firing(cron, Missed.LATEST, utc(2026, 5, 1, 0), utc(2026, 5, 1, 0), utc(2026, 4, 30, 0))
    assert (list(later.instants), later.next_at) == ([], utc(2026, 5, 1, 1))


def test_a_firing_has_one_key_in_whatever_zone_it_is_told() -> None:
    cron = Cron("0 8 * * *", BERLIN)
    told = Firing("report", cron.localise(utc(2026, 7, 1, 6)), utc(2026, 7, 1, 6))
    assert told.key == "report@2026-07-01T06:00:00Z"
    assert (told.scheduled_at.hour, told.scheduled_at.utcoffset()) == (8, timedelta(hours=2))


def test_a_registry_refuses_what_could_not_fire_in_the_night() -> None:
    registry = Registry()
    registry.add_schedule("report", "0 3 * * *", BERLIN, lambda _: Work(n=1))
    with pytest.raises(ValueError, match="declared already"):
        registry.add_schedule("report", "0 4 * * *", BERLIN, lambda _: Work(n=1))
    with pytest.raises(InvalidSchedule, match="name is 1 to 100"):
        registry.add_schedule("a report", "0 4 * * *", BERLIN, lambda _: Work(n=1))
    with pytest.raises(ZeroDivisionError):
        registry.add_schedule("broken", "0 4 * * *", BERLIN, lambda _: Work(n=1 // 0))
    assert [schedule.name for schedule in registry.schedules] == ["report"]
    assert [queue.name for queue in registry.queues] == ["work"]
