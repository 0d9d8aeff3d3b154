"""What a store that is down explains, in either order, and that it explains nothing else."""

from __future__ import annotations

from tests.support.alerts import AlertBench, make_bench
from tournee.alerts import CONDITIONS, conditions
from tournee.alerts.incidents import Fault
from tournee.alerts.monitor import CONTROL_LIMIT

REDIS = Fault(CONDITIONS[conditions.REDIS_DOWN], "", "Redis")
DATABASE = Fault(CONDITIONS[conditions.DATABASE_DOWN], "", "PostgreSQL")


class StoreAway(ConnectionError):
    """As the client of Redis raises it."""


StoreAway.__module__ = "redis.exceptions"


def hold(bench: AlertBench, name: str) -> None:
    """Errors are held: the latest look at the store began before them."""
    bench.alerts.monitor.book.note_look(name, bench.clock.at - 1)


async def test_an_error_500_while_redis_is_down_is_told_unless_redis_raised_it() -> None:
    bench = make_bench(production=True)
    bench.alerts.monitor.report(REDIS)
    await bench.step()
    bench.alerts.monitor.record_exception(StoreAway(), {"method": "GET", "path": "/cart"})
    await bench.step(10.0)
    assert bench.discord.said == ["redis-down opened"]
    bench.alerts.monitor.record_exception(KeyError("x"), {"method": "GET", "path": "/things"})
    await bench.step(10.0)
    assert bench.discord.said == ["redis-down opened", "error-500 opened"]


async def test_an_error_500_just_before_redis_is_found_down_is_told_unless_redis_raised_it() -> None:
    bench = make_bench(production=True)
    hold(bench, "redis-down")
    bench.alerts.monitor.record_exception(StoreAway(), {"method": "GET", "path": "/cart"})
    bench.alerts.monitor.record_exception(KeyError("x"), {"method": "GET", "path": "/things"})
    await bench.step(1.0)
    bench.alerts.monitor.report(REDIS)
    await bench.step(10.0)
    assert sorted(bench.discord.said) == ["error-500 opened", "redis-down opened"]
    assert bench.alerts.snapshot().monitor.suppressed["explained"] == 1


async def test_ten_errors_that_redis_does_not_explain_alert_while_it_is_down() -> None:
    bench = make_bench()
    bench.alerts.monitor.report(REDIS)
    await bench.step()
    bench.fail_requests(10)
    await bench.step(10.0)
    assert bench.discord.said == ["redis-down opened", "api-errors opened"]


async def test_nine_errors_before_redis_goes_down_still_count_with_the_tenth_after() -> None:
    bench = make_bench()
    bench.fail_requests(9)
    await bench.step(1.0)
    bench.alerts.monitor.report(REDIS)
    await bench.step(1.0)
    bench.fail_requests(1)
    await bench.step(10.0)
    assert bench.discord.said == ["redis-down opened", "api-errors opened"]


async def test_errors_of_an_alert_that_was_told_are_not_counted_twice_when_a_store_goes_down() -> None:
    bench = make_bench()
    bench.fail_requests(10)
    await bench.step(1.0)
    bench.fail_requests(2, status=503)
    await bench.step(1.0)
    bench.alerts.monitor.report(REDIS)
    await bench.step(1.0)
    bench.fail_requests(1)
    await bench.step(1.0)
    [incident] = [found for found in bench.alerts.monitor.book.open if found.fault.condition.name == "api-errors"]
    assert incident.count == 13


async def test_the_database_swallows_ten_errors_of_requests_and_no_failures_of_providers() -> None:
    bench = make_bench()
    hold(bench, "database-down")
    bench.fail_requests(10)
    for _ in range(9):
        bench.alerts.monitor.record_provider_failure("mistral", TimeoutError())
    await bench.step(1.0)
    bench.alerts.monitor.report(DATABASE)
    await bench.step(10.0)
    assert bench.discord.said == ["database-down opened"]
    assert bench.alerts.snapshot().monitor.suppressed["explained"] == 10
    bench.alerts.monitor.record_provider_failure("mistral", TimeoutError())
    await bench.step(10.0)
    assert bench.discord.said == ["database-down opened", "api-errors opened"]
    assert bench.discord.told[-1].text == "10 times"


async def test_a_thousand_deaths_at_once_do_not_keep_a_recovery_from_being_told() -> None:
    bench = make_bench()
    bench.alerts.monitor.report(DATABASE)
    await bench.step()
    for _ in range(2 * CONTROL_LIMIT):
        bench.alerts.monitor.report(Fault(CONDITIONS[conditions.JOB_DEAD], "k", "processMails"))
    bench.alerts.monitor.clear("database-down")
    await bench.step(5.0)
    assert bench.discord.said[0] == "database-down opened"
    assert sorted(bench.discord.said[1:]) == ["database-down ended", "job-dead opened"]


async def test_an_alert_that_cannot_be_made_takes_no_other_with_it() -> None:
    bench = make_bench()
    wrong: dict[str, str] = {"waiting": 3}  # type: ignore[dict-item]  # What a new condition's author may write.
    bench.alerts.monitor.report(Fault(CONDITIONS[conditions.DEAD_LETTERS], "", "", wrong))
    bench.alerts.monitor.report(DATABASE)
    await bench.step(1.0)
    assert sorted(bench.discord.said) == ["database-down opened", "dead-letters opened"]
