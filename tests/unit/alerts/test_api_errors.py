"""Ten API errors in less than five minutes, by a clock that is moved; and what happens afterwards."""

from __future__ import annotations

import pytest

from tests.support.alerts import make_bench
from tournee.alerts import CONDITIONS, conditions
from tournee.alerts.incidents import Fault

FIRST = ["api-errors opened"]


async def test_ten_errors_within_4_min_59_s_alert() -> None:
    bench = make_bench()
    for _ in range(9):
        bench.fail_requests(1)
        await bench.step(33.0)
    bench.clock.move(2.0)
    assert bench.discord.said == []
    bench.fail_requests(1)
    await bench.step()
    assert bench.discord.said == FIRST
    assert bench.clock.at == 1_000.0 + 299.0


async def test_ten_errors_within_5_min_1_s_do_not_alert() -> None:
    bench = make_bench()
    for _ in range(9):
        bench.fail_requests(1)
        await bench.step(33.0)
    bench.clock.move(4.0)
    bench.fail_requests(1)
    await bench.step(10.0)
    assert bench.discord.said == []


async def test_exactly_five_minutes_are_not_less_than_five_minutes() -> None:
    bench = make_bench()
    bench.fail_requests(1)
    await bench.step(300.0, stride=100.0)
    bench.fail_requests(9)
    await bench.step(10.0)
    assert bench.discord.said == []


async def test_nine_errors_do_not_alert() -> None:
    bench = make_bench()
    bench.fail_requests(9)
    await bench.step(600.0, stride=10.0)
    assert bench.discord.said == []


async def test_two_processes_with_five_errors_each_do_not_alert() -> None:
    """The count is in memory, of one process: the documentation says so."""
    benches = [make_bench(), make_bench()]
    for bench in benches:
        bench.fail_requests(5)
        await bench.step(600.0, stride=10.0)
    assert [bench.discord.said for bench in benches] == [[], []]


async def test_within_the_cooldown_it_is_silent_then_says_how_often_then_that_it_is_over() -> None:
    bench = make_bench(cooldown_seconds=900.0)
    for _ in range(90):
        bench.fail_requests(5)
        await bench.step(10.0, stride=5.0)
    assert bench.discord.said == FIRST
    bench.fail_requests(10)
    await bench.step(30.0)
    assert bench.discord.said == [*FIRST, "api-errors ongoing"]
    assert "460 times" in bench.discord.told[-1].text
    await bench.step(1_000.0, stride=10.0)
    assert bench.discord.said == [*FIRST, "api-errors ongoing", "api-errors ended"]
    await bench.step(2_000.0, stride=10.0)
    assert len(bench.discord.said) == 3


async def test_after_the_cooldown_it_takes_ten_errors_again() -> None:
    bench = make_bench(cooldown_seconds=900.0)
    bench.fail_requests(10)
    await bench.step(800.0, stride=10.0)
    bench.fail_requests(9)
    await bench.step(200.0, stride=10.0)
    assert "api-errors ongoing" not in bench.discord.said
    assert bench.discord.told[-1].text == "19 times"


async def test_the_message_names_the_most_frequent_errors_and_hides_ids() -> None:
    bench = make_bench()
    bench.fail_requests(8, "/users/4711/mails")
    bench.fail_requests(2, "/reset/hT9xkz0QpLmN3vBwYc8rSd2f")
    await bench.step()
    shown = dict(bench.discord.told[0].fields)["Most frequent"]
    assert shown == "8 × GET /users/{…}/mails 500\n2 × GET /reset/{…} 500"


async def test_failed_calls_to_providers_count_with_failed_requests() -> None:
    bench = make_bench()
    bench.fail_requests(5)
    for _ in range(5):
        bench.alerts.monitor.record_provider_failure("mistral", TimeoutError())
    await bench.step()
    assert bench.discord.said == FIRST
    assert "5 × mistral TimeoutError" in dict(bench.discord.told[0].fields)["Most frequent"]


@pytest.mark.parametrize(("production", "told"), [(True, ["error-500 opened"]), (False, [])])
async def test_one_error_500_alerts_in_production_only(production: bool, told: list[str]) -> None:
    bench = make_bench(production=production)
    bench.fail_requests(1)
    await bench.step()
    assert bench.discord.said == told


async def test_a_503_is_an_api_error_and_no_error_500() -> None:
    bench = make_bench(production=True)
    bench.fail_requests(10, status=503)
    await bench.step()
    assert bench.discord.said == FIRST


async def test_the_same_500_is_told_once_and_another_one_for_itself() -> None:
    bench = make_bench(production=True, error_threshold=1_000)
    bench.fail_requests(50, "/a")
    bench.fail_requests(1, "/b")
    await bench.step(5.0)
    assert [message.title for message in bench.discord.told] == ["Error 500: GET /a", "Error 500: GET /b"]
    assert dict(bench.discord.told[0].fields)["How often"] == "50"


async def test_a_flood_of_different_500s_is_a_handful_of_messages() -> None:
    bench = make_bench(production=True)
    for number in range(500):
        bench.fail_requests(1, "/" + "".join(chr(97 + int(digit)) for digit in str(number)))
    await bench.step(120.0)
    assert len(bench.discord.told) == 12, "ten by name, one for the others, one for their number"
    assert bench.discord.requests == 2
    assert "Error 500: others" in [message.title for message in bench.discord.told]


async def test_a_storm_of_one_exception_is_one_incident_with_its_place() -> None:
    """Of most exceptions of a storm only the class is kept, so that their frames hold no memory."""
    bench = make_bench(production=True)
    try:
        raise KeyError("x")
    except KeyError as error:
        for _ in range(500):
            bench.alerts.monitor.record_exception(error, {"method": "GET", "path": "/things"})
    await bench.step(5.0)
    assert sorted(bench.discord.said) == ["api-errors opened", "error-500 opened"]
    place = next(dict(message.fields)["Place"] for message in bench.discord.told if message.condition == "error-500")
    assert place.startswith("test_api_errors.py:")


async def test_an_entry_that_cannot_be_read_keeps_no_other_from_being_counted() -> None:
    class Unreadable:
        @property
        def path_format(self) -> str:
            raise RuntimeError("no name")

    bench = make_bench()
    bench.alerts.monitor.record_response(500, {"method": "GET", "path": "/x", "route": Unreadable()})
    bench.fail_requests(10)
    await bench.step()
    assert bench.discord.said == FIRST


async def test_a_flood_is_counted_though_the_queue_is_full() -> None:
    bench = make_bench(queue_limit=100)
    bench.fail_requests(5_000)
    await bench.step()
    counts = bench.alerts.snapshot()
    assert counts.monitor.recorded["request"] == 5_000
    assert counts.monitor.overflowed == 4_900
    await bench.step(1_000.0, stride=10.0)
    assert bench.discord.told[-1].text == "5,000 times"


async def test_a_database_that_is_down_swallows_the_errors_it_causes() -> None:
    bench = make_bench(production=True)
    bench.fail_requests(20)
    bench.alerts.monitor.book.note_look("database-down", bench.clock.at - 1)
    await bench.step(1.0)
    assert bench.discord.said == [], "held until a look has said whether the database explains it"
    bench.alerts.monitor.report(Fault(CONDITIONS[conditions.DATABASE_DOWN], "", "PostgreSQL"))
    await bench.step(1.0)
    bench.fail_requests(30)
    await bench.step(60.0)
    assert bench.discord.said == ["database-down opened"]
    bench.alerts.monitor.clear("database-down")
    await bench.step()
    bench.fail_requests(3)
    await bench.step(60.0)
    assert bench.discord.said == ["database-down opened", "database-down ended"]
    assert bench.discord.told[-1].text == "Lasted: 1 min 1 s"
    assert bench.alerts.snapshot().monitor.suppressed["explained"] == 20 + 30 + 3


async def test_an_error_that_no_store_explains_is_told_as_soon_as_a_look_has_said_so() -> None:
    bench = make_bench(production=True)
    book = bench.alerts.monitor.book
    book.note_look("database-down", bench.clock.at - 1)
    bench.fail_requests(1)
    await bench.step(0.5, stride=0.5)
    assert bench.discord.said == []
    book.note_look("database-down", bench.clock.at)
    await bench.step()
    assert bench.discord.said == ["error-500 opened"]


async def test_an_error_waits_for_no_look_for_ever() -> None:
    bench = make_bench(production=True)
    bench.alerts.monitor.book.note_look("database-down", bench.clock.at - 1)
    bench.fail_requests(1)
    await bench.step(6.0)
    assert bench.discord.said == ["error-500 opened"]


async def test_redis_explains_only_what_says_that_it_is_unavailable() -> None:
    bench = make_bench(production=True)
    bench.alerts.monitor.report(Fault(CONDITIONS[conditions.REDIS_DOWN], "", "Redis"))
    await bench.step()
    bench.fail_requests(20, status=503)
    await bench.step(10.0)
    assert bench.discord.said == ["redis-down opened"]


@pytest.mark.parametrize(("statuses", "told"), [(frozenset(), []), (frozenset({404}), FIRST)])
async def test_which_client_errors_count_is_a_setting(statuses: frozenset[int], told: list[str]) -> None:
    bench = make_bench(client_error_statuses=statuses)
    if 404 in bench.alerts.monitor.watched_statuses:
        bench.fail_requests(10, status=404)
    await bench.step()
    assert bench.discord.said == told


async def test_repeated_429_alert_only_if_they_are_watched() -> None:
    bench = make_bench(watches_rate_limits=True, rate_limit_threshold=5)
    bench.fail_requests(4, "/search", status=429)
    await bench.step()
    assert bench.discord.said == []
    bench.fail_requests(1, "/search", status=429)
    for _ in range(5):
        bench.alerts.monitor.record_rate_limit("mistral")
    await bench.step()
    assert sorted(bench.discord.said) == ["rate-limited-in opened", "rate-limited-out opened"]
    assert {message.title for message in bench.discord.told} == {
        "Many requests refused with 429: GET /search",
        "mistral limits us (429)",
    }
    unwatched = make_bench()
    for _ in range(9):
        unwatched.alerts.monitor.record_rate_limit("mistral")
    await unwatched.step()
    assert unwatched.discord.said == []
    assert 429 not in unwatched.alerts.monitor.watched_statuses


async def test_at_the_start_nothing_is_told_and_what_is_over_soon_never_is() -> None:
    bench = make_bench(quiet_start_seconds=10.0, production=True)
    monitor = bench.alerts.monitor
    monitor.report(Fault(CONDITIONS[conditions.REDIS_DOWN], "", "Redis"))
    monitor.report(Fault(CONDITIONS[conditions.DATABASE_DOWN], "", "PostgreSQL"))
    await bench.step(5.0)
    monitor.clear("redis-down")
    await bench.step(4.0)
    assert bench.discord.said == []
    await bench.step(2.0)
    assert bench.discord.said == ["database-down opened"]
    assert dict(bench.discord.told[0].fields)["Since"] == "2026-03-01 12:00:00 UTC"


async def test_what_comes_and_goes_all_the_time_is_told_three_times_within_the_cooldown() -> None:
    bench = make_bench(cooldown_seconds=900.0)
    monitor = bench.alerts.monitor
    for _ in range(10):
        monitor.report(Fault(CONDITIONS[conditions.REDIS_DOWN], "", "Redis"))
        await bench.step(10.0, stride=5.0)
        monitor.clear("redis-down")
        await bench.step(10.0, stride=5.0)
    assert bench.discord.said == ["redis-down opened", "redis-down ended"] * 3
    monitor.report(Fault(CONDITIONS[conditions.REDIS_DOWN], "", "Redis"))
    await bench.step(900.0, stride=10.0)
    assert bench.discord.said[6:] == ["redis-down opened"], "one that lasts is told when the cool-down is over"
