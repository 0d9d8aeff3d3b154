"""What the engine does and what its ledger says is told: a dead job, a breaker that opens, letters that pile up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.alerts import AlertBench, make_bench
from tests.support.engine import QUICK_ENGINE, Bench, Work, build_registry, close_bench, open_bench
from tournee.alerts.engine_watch import EngineWatch, LedgerWatch
from tournee.engine.client import Engine, Job, ProviderRow, ProviderUnavailable


@pytest.fixture
async def bench(database_url: str, redis_url: str) -> AsyncIterator[Bench]:
    opened = await open_bench(database_url, redis_url)
    yield opened
    await close_bench(opened)


def hear(bench: Bench, told: AlertBench, provider: str | None = None) -> None:
    """The same engine, heard by alerts."""
    registry = build_registry(bench.handlers, provider)
    bench.engine = Engine(bench.pool, bench.broker, registry, QUICK_ENGINE, [EngineWatch(told.alerts.monitor)])


async def fail(job: Job[Work]) -> None:
    raise ValueError("secret: hunter2")


async def test_dead_jobs_of_one_cause_are_one_alert_and_one_mail_with_their_number(bench: Bench) -> None:
    told = make_bench(critical_queues=frozenset({"work"}), console_url="http://127.0.0.1:8420")
    hear(bench, told)
    bench.handlers.script = fail
    await bench.engine.declare()
    await bench.start()
    await bench.enqueue_work(20)
    await bench.wait_for_state("dead", 20)
    await bench.stop()
    await told.step(5.0)
    assert told.discord.said == told.mail.said == ["job-dead opened"]
    message = told.discord.told[0]
    assert message.title == "Dead jobs in work"
    assert message.text == "20 times"
    fields = dict(message.fields)
    assert (fields["Error"], fields["Queue"], fields["Attempts"]) == ("ValueError", "work", "3")
    assert message.link == f"http://127.0.0.1:8420/jobs/{fields['Job']}"
    assert "hunter2" not in str(message)


async def test_a_dead_job_of_another_queue_alerts_nobody(bench: Bench) -> None:
    told = make_bench(critical_queues=frozenset({"other"}))
    hear(bench, told)
    bench.handlers.script = fail
    await bench.engine.declare()
    await bench.start()
    await bench.enqueue_work(1)
    await bench.wait_for_state("dead")
    await bench.stop()
    await told.step(5.0)
    assert told.discord.said == []


async def test_a_death_that_has_its_own_notice_is_not_mailed_again(bench: Bench) -> None:
    told = make_bench(
        critical_queues=frozenset({"work"}),
        kinds_of_their_own={"work": "newsletter-invalid"},
        mailed_kinds=frozenset({"work"}),
    )
    hear(bench, told)
    bench.handlers.script = fail
    await bench.engine.declare()
    await bench.start()
    await bench.enqueue_work(1)
    await bench.wait_for_state("dead")
    await bench.stop()
    await told.step(5.0)
    assert told.discord.said == ["newsletter-invalid opened"]
    assert told.mail.said == []


async def test_an_outage_opens_the_breaker_and_its_calls_count_as_api_errors(bench: Bench) -> None:
    told = make_bench(error_threshold=1, watches_rate_limits=True, rate_limit_threshold=1)
    hear(bench, told, "vendor")

    async def be_away(job: Job[Work]) -> None:
        raise ProviderUnavailable("vendor", "slow down", timedelta(minutes=5))

    bench.handlers.script = be_away
    await bench.engine.declare()
    await bench.start()
    watch = LedgerWatch(told.alerts.monitor)
    watch.look(await bench.engine.read_providers(), 0)
    await bench.enqueue_work(1)

    async def is_open() -> bool:
        return any(row.state == "open" for row in await bench.engine.read_providers())

    await bench.wait_until(is_open)
    await bench.stop()
    watch.look(await bench.engine.read_providers(), 0)
    await told.step(5.0)
    assert sorted(told.discord.said) == ["api-errors opened", "breaker-open opened", "rate-limited-out opened"]
    assert "Provider away: vendor" in [message.title for message in told.discord.told]


OPEN = ProviderRow("mistral", "open", 5, 1, "TimeoutError", None, None)


async def test_a_breaker_is_told_when_it_opens_and_when_it_closes_with_the_duration() -> None:
    told = make_bench()
    watch = LedgerWatch(told.alerts.monitor)
    watch.look([replace(OPEN, state="closed")], 0)
    for row in (OPEN, replace(OPEN, state="half-open"), OPEN):
        watch.look([row], 0)
        await told.step(60.0, stride=10.0)
    watch.look([replace(OPEN, state="closed")], 0)
    await told.step(5.0)
    assert told.discord.said == ["breaker-open opened", "breaker-open ended"]
    assert told.discord.told[1].text == "Lasted: 3 min 0 s"


async def test_a_new_leader_takes_an_open_breaker_as_told_and_tells_its_end() -> None:
    told = make_bench()
    watch = LedgerWatch(told.alerts.monitor)
    watch.look([OPEN], 500)
    await told.step(60.0, stride=10.0)
    assert told.discord.said == []
    watch.look([replace(OPEN, state="closed")], 500)
    await told.step(5.0)
    assert told.discord.said == ["breaker-open ended"]


async def test_who_leads_no_more_tells_no_end() -> None:
    told = make_bench()
    watch = LedgerWatch(told.alerts.monitor)
    watch.look([], 0)
    watch.look([OPEN], 0)
    watch.forget()
    await told.step(5.0)
    watch.look([replace(OPEN, state="closed")], 0)
    await told.step(5.0)
    assert told.discord.said == []


async def test_dead_letters_that_pile_up_are_told_and_that_they_are_fewer() -> None:
    told = make_bench(dead_letters_threshold=100)
    watch = LedgerWatch(told.alerts.monitor)
    for letters in (0, 99, 100, 130, 90, 60):
        watch.look([], letters)
        await told.step(2.0)
    assert told.discord.said == ["dead-letters opened"]
    assert dict(told.discord.told[0].fields)["Waiting"] == "100"
    watch.look([], 49)
    await told.step(2.0)
    assert told.discord.said == ["dead-letters opened", "dead-letters ended"]


async def test_letters_that_were_there_before_alarm_once_there_are_a_hundred_more() -> None:
    told = make_bench(dead_letters_threshold=100)
    watch = LedgerWatch(told.alerts.monitor)
    for letters in (150, 249):
        watch.look([], letters)
        await told.step(2.0)
    assert told.discord.said == []
    watch.look([], 250)
    await told.step(2.0)
    assert told.discord.said == ["dead-letters opened"]
    watch.look([], 10)
    await told.step(5.0)
    assert told.discord.said == ["dead-letters opened", "dead-letters ended"]


async def test_a_new_leader_tells_that_letters_which_it_found_are_fewer() -> None:
    told = make_bench(dead_letters_threshold=100)
    watch = LedgerWatch(told.alerts.monitor)
    for letters in (150, 60, 49, 30):
        watch.look([], letters)
        await told.step(2.0)
    assert told.discord.said == ["dead-letters ended"]
