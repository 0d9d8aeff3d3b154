"""Schedules in the ledger: one job an instant, whoever fires, whatever dies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.integration.engine.conftest import OpenBench
from tests.support.engine import OPERATOR, QUICK_ENGINE, Bench, Work
from tournee.engine.client import Firing, Missed, ScheduleRow
from tournee.engine.core.job import WorkerId
from tournee.engine.core.schedule import MAX_MISSED, Schedule
from tournee.engine.maintenance.scheduler import Scheduler

LEAD = timedelta(seconds=60)
SELDOM = "0 0 29 2 *"
"""For tests in which no instant may come round by itself."""


def make_work(firing: Firing) -> Work:
    return Work(n=firing.scheduled_at.minute, note=firing.scheduled_at.isoformat())


def declare(
    bench: Bench,
    cron: str = "* * * * *",
    zone: str = "UTC",
    missed: Missed = Missed.LATEST,
    make: Callable[[Firing], Work] = make_work,
    name: str = "tick",
) -> Schedule:
    bench.engine.registry.add_schedule(name, cron, zone, make, missed=missed)
    return bench.engine.registry.schedules[-1]


def make_scheduler(bench: Bench, lead_for: timedelta = LEAD) -> Scheduler:
    return Scheduler(bench.engine.store, bench.engine.registry.schedules, WorkerId(uuid4()), lead_for)


async def set_next(bench: Bench, ago: timedelta) -> datetime:
    """Put every schedule's next instant so far into the past, on a full minute; answers it."""
    at = (datetime.now(UTC) - ago).replace(second=0, microsecond=0)
    await bench.pool.execute("UPDATE engine.schedules SET next_at = $1", at)
    return at


async def set_next_to_latest(bench: Bench, schedule: Schedule) -> datetime:
    """Put a schedule's next instant to its latest one; answers it."""
    now = datetime.now(UTC)
    [at] = schedule.cron.list_latest(now - timedelta(days=9 * 365), now, 1)
    await bench.pool.execute("UPDATE engine.schedules SET next_at = $1 WHERE name = $2", at, schedule.name)
    return at


async def read_row(bench: Bench, name: str = "tick") -> ScheduleRow:
    rows = await bench.engine.schedules.list_rows()
    return next(row for row in rows if row.name == name)


async def list_keys(bench: Bench) -> list[str]:
    return [row["key"] for row in await bench.pool.fetch("SELECT key FROM engine.jobs ORDER BY id")]


async def test_a_declared_schedule_waits_for_its_first_instant(bench: Bench) -> None:
    declare(bench, "0 8 * * *", "Europe/Berlin")
    await bench.engine.declare()

    assert await make_scheduler(bench).run() == 0

    row = await read_row(bench)
    assert row.next_at > datetime.now(UTC)
    assert (row.queue, row.kind, row.missed, row.paused) == ("work", "work", Missed.LATEST, False)
    assert (row.last_fired_at, row.served, await list_keys(bench)) == (None, True, [])


async def test_an_instant_makes_one_job_which_runs(bench: Bench) -> None:
    schedule = declare(bench, SELDOM)
    await bench.engine.declare()
    at = await set_next_to_latest(bench, schedule)

    await bench.start()
    await bench.wait_for_state("completed")

    row = await read_row(bench)
    assert row.last_fired_at == at
    assert row.next_at > at
    assert await list_keys(bench) == [f"tick@{at:%Y-%m-%dT%H:%M:%SZ}"]
    [shown] = await bench.engine.find_jobs([("work", (await list_keys(bench))[0])])
    assert shown.payload["note"] == at.isoformat()


@pytest.mark.parametrize(("missed", "expected"), [(Missed.LATEST, 1), (Missed.ALL, 5), (Missed.SKIP, 0)])
async def test_missed_instants_are_made_up_for_as_declared(bench: Bench, missed: Missed, expected: int) -> None:
    # Every ten minutes of the hour, so that the last instant is no younger than a minute unless we meet it.
    minute = (datetime.now(UTC) - timedelta(minutes=1, seconds=40)).minute % 10
    schedule = declare(bench, f"{minute}-59/10 * * * *", missed=missed)
    await bench.engine.declare()
    first = schedule.cron.list_latest(datetime.now(UTC) - timedelta(hours=2), datetime.now(UTC), 5)[0]
    await bench.pool.execute("UPDATE engine.schedules SET next_at = $1", first)

    fired = await bench.engine.store.fire_schedule(schedule)

    assert len(fired.instants) == expected
    assert len(await list_keys(bench)) == expected
    assert (await read_row(bench)).next_at > datetime.now(UTC)
    assert (await bench.engine.store.fire_schedule(schedule)).instants == ()


async def test_a_year_of_missed_minutes_makes_a_hundred_jobs(bench: Bench) -> None:
    schedule = declare(bench, missed=Missed.ALL)
    await bench.engine.declare()
    await set_next(bench, timedelta(days=365))

    await bench.engine.store.fire_schedule(schedule)

    keys = await list_keys(bench)
    assert (len(keys), keys) == (MAX_MISSED, sorted(keys))


async def test_two_leaders_that_fire_at_once_make_one_job(open_benches: OpenBench) -> None:
    """Leadership only says who works: here both believe to lead, over and over."""
    benches = [await open_benches() for _ in range(3)]
    schedules = [declare(bench) for bench in benches]
    await benches[0].engine.declare()
    for minutes in range(30, 0, -5):
        await set_next(benches[0], timedelta(minutes=minutes))
        await benches[0].pool.execute("UPDATE engine.schedules SET last_fired_at = NULL")
        before = len(await list_keys(benches[0]))
        fires = [
            bench.engine.store.fire_schedule(schedule)
            for bench, schedule in zip(benches, schedules, strict=True)
            for _ in range(3)
        ]
        fired = await asyncio.gather(*fires)
        assert sum(len(one.instants) for one in fired) <= 2  # a new minute may begin meanwhile
        assert len(await list_keys(benches[0])) - before <= 2
    keys = await list_keys(benches[0])
    assert len(keys) == len(set(keys))


async def test_an_instant_that_is_fired_again_finds_its_job_there(bench: Bench) -> None:
    schedule = declare(bench, SELDOM)
    await bench.engine.declare()
    at = await set_next_to_latest(bench, schedule)
    await bench.engine.store.fire_schedule(schedule)
    await bench.pool.execute("UPDATE engine.schedules SET next_at = $1", at)
    await bench.engine.store.fire_schedule(schedule)

    assert await list_keys(bench) == [f"tick@{at:%Y-%m-%dT%H:%M:%SZ}"]


async def test_a_firing_that_is_cut_off_leaves_the_instant_to_the_next_look(bench: Bench) -> None:
    def cut_off(_firing: Firing) -> Work:
        if armed:
            raise asyncio.CancelledError
        return Work(n=1)

    armed: list[bool] = []
    schedule = declare(bench, make=cut_off)
    await bench.engine.declare()
    await set_next(bench, timedelta(minutes=3))
    armed.append(True)
    with pytest.raises(asyncio.CancelledError):
        await bench.engine.store.fire_schedule(schedule)
    assert await list_keys(bench) == []
    armed.clear()
    await bench.engine.store.fire_schedule(schedule)
    assert len(await list_keys(bench)) == 1


async def test_one_process_leads_a_schedule_and_another_goes_on_when_it_is_gone(open_benches: OpenBench) -> None:
    first, second = await open_benches(), await open_benches()
    for bench in (first, second):
        declare(bench)
    await first.engine.declare()
    dying, waiting = make_scheduler(first), make_scheduler(second)
    await dying.run()
    await set_next(first, timedelta(minutes=5))
    assert await waiting.run() == 0

    await first.pool.execute("UPDATE engine.leaders SET until = now() - interval '1 s'")

    assert await waiting.run() == 1
    assert len(await list_keys(first)) == 1


async def test_processes_that_declare_different_schedules_each_serve_their_own(open_benches: OpenBench) -> None:
    """A rolling deploy: the old release leads what it knows, the new one what is new."""
    old, new = await open_benches(), await open_benches()
    declare(old)
    declare(new)
    declare(new, name="fresh")
    await old.engine.declare()
    await new.engine.declare()
    await make_scheduler(old).run()
    await set_next(old, timedelta(minutes=5))

    assert await make_scheduler(new).run() == 1
    assert (await list_keys(old))[0].startswith("fresh@")


async def test_a_changed_expression_or_zone_moves_the_next_instant_and_fires_nothing_old(
    open_benches: OpenBench,
) -> None:
    old, new = await open_benches(), await open_benches()
    declare(old, "0 8 * * *", "Europe/Berlin")
    await old.engine.declare()
    await old.engine.schedules.pause("tick", OPERATOR)
    await set_next(old, timedelta(hours=3))
    declare(new, "0 9 * * *", "Asia/Tokyo")
    await new.engine.declare()
    assert (await read_row(new)).cron == "0 8 * * *", "declaring alone changes no schedule that another may lead"

    await make_scheduler(new).run()

    row = await read_row(new)
    assert (row.cron, row.time_zone, row.paused) == ("0 9 * * *", "Asia/Tokyo", True)
    assert row.next_at > datetime.now(UTC)
    assert (row.next_at.astimezone(UTC).hour, row.next_at.minute) == (0, 0)
    assert await list_keys(new) == []


async def test_what_no_process_declares_any_more_is_shown_and_does_not_fire(open_benches: OpenBench) -> None:
    old, new = await open_benches(), await open_benches()
    declare(old, name="gone")
    await old.engine.declare()
    declare(new)
    await new.engine.declare()
    await set_next(new, timedelta(minutes=5))

    await make_scheduler(new).run()

    assert {row.name: row.served for row in await new.engine.schedules.list_rows()} == {"gone": False, "tick": True}
    assert [key.partition("@")[0] for key in await list_keys(new)] == ["tick"]
    assert not await new.engine.schedules.forget("tick", OPERATOR), "it is served"
    assert await new.engine.schedules.forget("gone", OPERATOR)
    assert not await new.engine.schedules.forget("gone", OPERATOR)
    assert [row.name for row in await new.engine.schedules.list_rows()] == ["tick"]


async def test_a_paused_schedule_fires_nothing_and_makes_up_for_nothing(bench: Bench) -> None:
    schedule = declare(bench, SELDOM, missed=Missed.ALL)
    await bench.engine.declare()
    assert await bench.engine.schedules.pause("tick", OPERATOR)
    await set_next_to_latest(bench, schedule)
    scheduler = make_scheduler(bench)
    assert await scheduler.run() == 0

    assert await bench.engine.schedules.resume("tick", OPERATOR)
    row = await read_row(bench)
    assert (row.paused, row.due) == (False, False)
    assert not await bench.engine.schedules.pause("unknown", OPERATOR)
    audits = await bench.pool.fetch("SELECT action, actor, filter FROM engine.audit_log ORDER BY id")
    assert [(audit["action"], audit["actor"]) for audit in audits] == [
        ("pause schedule", "ann"),
        ("resume schedule", "ann"),
    ]
    assert audits[0]["filter"] == {"schedule": "tick"}


async def test_a_payload_that_can_not_be_made_is_told_and_holds_up_no_other(bench: Bench) -> None:
    fault: list[str] = []

    def make(firing: Firing) -> Work:
        if fault:
            raise ValueError(fault[0])
        return make_work(firing)

    for schedule in (declare(bench, SELDOM, name="a-broken", make=make), declare(bench, SELDOM)):
        await bench.engine.declare()
        await set_next_to_latest(bench, schedule)
    fault.append("no\x00such report")
    scheduler = make_scheduler(bench)
    assert await scheduler.run() == 1
    assert (await read_row(bench, "a-broken")).last_error == "ValueError: nosuch report"
    assert [key.partition("@")[0] for key in await list_keys(bench)] == ["tick"]

    fault.clear()
    assert await scheduler.run() == 1
    row = await read_row(bench, "a-broken")
    assert (row.last_error, row.due) == (None, False)


async def test_the_started_engine_fires_and_gives_its_leads_back(open_benches: OpenBench) -> None:
    bench = await open_benches(settings=replace(QUICK_ENGINE, schedule_seconds=0.05))
    declare(bench, "* * * * * *")
    await bench.engine.start()

    async def fired() -> bool:
        return len(await list_keys(bench)) >= 2

    await bench.wait_until(fired)
    assert (await read_row(bench)).served
    await bench.stop()
    assert not (await read_row(bench)).served
