"""Outages: parked jobs, breakers, and what is kept of them."""

from __future__ import annotations

from datetime import timedelta

from tests.integration.engine.conftest import OpenBench
from tests.support.engine import Bench, Work, write_effect
from tournee.engine.client import Job, JobState, ProviderUnavailable, Snooze


async def test_a_job_parked_for_weeks_keeps_its_latest_attempts_only(bench: Bench) -> None:
    async def script(job: Job[Work]) -> None:
        if len(bench.handlers.started) == 1:
            raise ValueError("before the outage")
        if len(bench.handlers.started) <= 16:
            raise ProviderUnavailable("elsewhere", f"closed {len(bench.handlers.started)}")
        await write_effect(job)

    bench.handlers.script = script
    await bench.start()
    await bench.enqueue(Work(n=0))

    async def worked_off() -> bool:
        await bench.pool.execute("UPDATE engine.jobs SET run_at = now() WHERE state = 'pending'")
        await bench.pool.execute("UPDATE engine.ready SET run_at = now()")
        bench.engine.nudge()
        return await bench.is_at_rest()

    await bench.wait_until(worked_off)
    row = await bench.show()
    assert (row.state, row.attempt, row.outages) == (JobState.COMPLETED, 1, 15)
    attempts = await bench.engine.list_attempts([row.id])
    assert [attempt.outcome for attempt in attempts] == ["failed"] + ["parked"] * 10
    assert attempts[-1].message == "elsewhere: closed 16"


async def test_a_breaker_that_guards_no_queue_closes_when_its_time_has_come(open_benches: OpenBench) -> None:
    bench = await open_benches(provider="shop")
    await bench.engine.store.note_outage("chat", "429", timedelta(seconds=60))
    await bench.engine.store.note_outage("shop", "429", timedelta(seconds=60))
    assert await bench.engine.store.close_unguarded_breakers() == []

    await bench.pool.execute("UPDATE engine.providers SET retry_at = now()")
    await bench.engine.start()

    async def closed() -> bool:
        states = {row.name: (row.state, row.retry_at) for row in await bench.engine.read_providers()}
        return states["chat"] == ("closed", None)

    await bench.wait_until(closed)
    states = {row.name: row.state for row in await bench.engine.read_providers()}
    assert states["shop"] in ("open", "half-open"), "what guards a queue is probed, not closed"


async def test_jobs_parked_by_an_outage_are_done_once_the_provider_is_back(open_benches: OpenBench) -> None:
    bench = await open_benches(provider="shop")
    away = True

    async def script(job: Job[Work]) -> None:
        if away:
            raise ProviderUnavailable("shop", "closed", timedelta(seconds=60))
        await write_effect(job)

    bench.handlers.script = script
    await bench.start()
    await bench.enqueue_work(12)

    async def open_and_parked() -> bool:
        [provider] = await bench.engine.read_providers()
        return provider.state == "open" and (await bench.count_states()) == {"pending": 12}

    await bench.wait_until(open_and_parked)
    away = False
    await bench.pool.execute("UPDATE engine.providers SET retry_at = now()")
    await bench.pool.execute("UPDATE engine.jobs SET run_at = now()")
    await bench.pool.execute("UPDATE engine.ready SET run_at = now()")
    await bench.run_to_rest()

    [provider] = await bench.engine.read_providers()
    assert (provider.state, provider.failures, provider.openings) == ("closed", 0, 0)
    rows = await bench.pool.fetch("SELECT attempt, outages, state::text FROM engine.jobs")
    assert {(row["attempt"], row["state"]) for row in rows} == {(0, "completed")}
    assert 1 <= sum(row["outages"] for row in rows) <= 4


async def test_a_snooze_is_never_longer_than_a_year(bench: Bench) -> None:
    async def script(_job: Job[Work]) -> None:
        raise Snooze(timedelta.max)

    bench.handlers.script = script
    await bench.start()
    await bench.enqueue(Work(n=0))

    async def snoozed() -> bool:
        return (await bench.show()).snoozes == 1

    await bench.wait_until(snoozed)
    row = await bench.show()
    assert timedelta(days=365) < row.run_at - row.created_at < timedelta(days=367)
