"""Newsletters that are searchable too late: when it is told, that it is over, and what explains it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.alerts import AlertBench, make_bench
from tournee.alerts import CONDITIONS, conditions
from tournee.alerts.engine_watch import LATE_LOOKS, LedgerWatch, SearchWait
from tournee.alerts.incidents import Fault

LOOK_SECONDS = 2.0
IN_TIME, LATE, LATER = SearchWait(20.0), SearchWait(312.0), SearchWait(700.0)


async def look(bench: AlertBench, watch: LedgerWatch, wait: SearchWait, looks: int = LATE_LOOKS) -> None:
    """So many looks find the same."""
    for _ in range(looks):
        watch.look([], 0, wait)
        await bench.step(LOOK_SECONDS)


async def begin(wait: SearchWait = IN_TIME, **settings: Any) -> tuple[AlertBench, LedgerWatch]:
    """A leader that has led for a while."""
    bench = make_bench(**settings)
    watch = LedgerWatch(bench.alerts.monitor)
    await look(bench, watch, wait)
    return bench, watch


@pytest.mark.parametrize(
    ("language", "waits", "over"),
    [
        ("en", ("The oldest waits for", "5 min 12 s"), "Lasted: 2 min 0 s"),
        ("fr", ("La plus ancienne attend depuis", "5 min 12 s"), "Durée\u202f: 2 min 0 s"),
    ],
)
async def test_search_that_misses_its_objective_is_told_and_that_it_is_in_time_again(
    language: str, waits: tuple[str, str], over: str
) -> None:
    bench, watch = await begin(language=language, console_url="http://127.0.0.1:8420/")
    await look(bench, watch, LATE)
    await look(bench, watch, LATER)
    await look(bench, watch, SearchWait(200.0), 2 * LATE_LOOKS)
    await look(bench, watch, IN_TIME)
    assert bench.discord.said == ["search-late opened", "search-late ended"]
    opened, ended = bench.discord.told
    assert waits in opened.fields
    assert opened.link == "http://127.0.0.1:8420/newsletters"
    assert ended.text == over
    assert bench.mail.said == []


async def test_what_is_late_for_less_than_half_a_minute_alarms_nobody() -> None:
    bench, watch = await begin()
    for _ in range(5):
        await look(bench, watch, SearchWait(200_000.0), LATE_LOOKS - 1)
        await look(bench, watch, IN_TIME, 1)
    assert bench.discord.said == []


async def test_one_newsletter_in_between_that_is_in_time_ends_nothing() -> None:
    bench, watch = await begin()
    await look(bench, watch, LATE)
    for _ in range(5):
        await look(bench, watch, IN_TIME, LATE_LOOKS - 1)
        await look(bench, watch, LATE, 1)
    assert bench.discord.said == ["search-late opened"]


async def test_the_objective_is_a_setting() -> None:
    bench, watch = await begin(searchable_seconds=3600.0)
    await look(bench, watch, LATER)
    assert bench.discord.said == []
    await look(bench, watch, SearchWait(3600.0))
    assert bench.discord.said == ["search-late opened"]


async def test_a_new_leader_tells_of_what_it_found_only_that_it_is_over() -> None:
    bench, watch = await begin(LATE)
    assert bench.discord.said == []
    await look(bench, watch, IN_TIME)
    assert bench.discord.said == ["search-late ended"]


async def test_a_new_leader_tells_of_what_it_found_once_it_is_later_by_the_objective() -> None:
    bench, watch = await begin(LATE)
    await look(bench, watch, SearchWait(611.0))
    assert bench.discord.said == []
    await look(bench, watch, SearchWait(612.0))
    assert bench.discord.said == ["search-late opened"]


async def test_who_leads_no_more_tells_no_end() -> None:
    bench, watch = await begin()
    await look(bench, watch, LATE)
    watch.forget()
    await look(bench, watch, IN_TIME)
    assert bench.discord.said == ["search-late opened"]


async def test_what_an_outage_or_a_pause_parks_is_not_told_nor_while_it_is_worked_off() -> None:
    bench, watch = await begin()
    await look(bench, watch, replace(LATER, explained=True), 3 * LATE_LOOKS)
    await look(bench, watch, SearchWait(720.0))
    await look(bench, watch, IN_TIME)
    assert bench.discord.said == []
    await look(bench, watch, LATE)
    assert bench.discord.said == ["search-late opened"]


async def test_what_does_not_move_after_an_outage_is_told_once_it_is_later_by_the_objective() -> None:
    bench, watch = await begin()
    await look(bench, watch, replace(LATER, explained=True))
    await look(bench, watch, LATER)
    await look(bench, watch, SearchWait(1000.0))
    assert bench.discord.said == ["search-late opened"]


async def test_a_pause_does_not_end_what_was_told_before_it() -> None:
    bench, watch = await begin()
    await look(bench, watch, LATE)
    await look(bench, watch, replace(LATER, explained=True))
    assert bench.discord.said == ["search-late opened"]
    await look(bench, watch, IN_TIME)
    assert bench.discord.said == ["search-late opened", "search-late ended"]


async def test_redis_that_is_down_explains_it_and_what_is_late_long_after_is_told() -> None:
    bench, watch = await begin()
    bench.alerts.monitor.report(Fault(CONDITIONS[conditions.REDIS_DOWN], "", "Redis"))
    await bench.step(1.0)
    await look(bench, watch, LATE)
    bench.alerts.monitor.clear(conditions.REDIS_DOWN)
    await bench.step(10.0)
    await look(bench, watch, LATER)
    assert bench.discord.said == ["redis-down opened", "redis-down ended"]
    await look(bench, watch, SearchWait(1000.0))
    assert bench.discord.said[2:] == ["search-late opened"]
