"""The testing kit: it runs what the real worker would run, as the real worker would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from tests.support.engine import (
    OPERATOR,
    SHORT_LEASE,
    Bulk,
    Free,
    Handlers,
    Work,
    build_registry,
    insert_effect,
    write_effect,
)
from tournee.db.pool import Pool, PoolSettings, open_pool
from tournee.engine.client import (
    Batch,
    Engine,
    Firing,
    Job,
    JobState,
    Payload,
    Priority,
    ProviderUnavailable,
    Registry,
    Snooze,
)
from tournee.engine.core.limits import QueueLimits, Rate
from tournee.engine.testing import (
    RunOutcome,
    advance,
    assert_enqueued,
    assert_not_enqueued,
    assertions,
    build_engine,
    drain,
    fire,
)
from tournee.engine.testing.drain import StillBusy

HOUR = timedelta(hours=1)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    pool = await open_pool(PoolSettings(database_url, max_size=6))
    await pool.execute("CREATE TABLE effects (id bigserial PRIMARY KEY, text text NOT NULL)")
    yield pool
    await pool.close()


@pytest.fixture
def handlers() -> Handlers:
    return Handlers()


@pytest.fixture
async def engine(pool: Pool, handlers: Handlers) -> Engine:
    engine = build_engine(pool, build_registry(handlers, provider="shop"))
    await engine.declare()
    return engine


async def enqueue(engine: Engine, *payloads: Payload, **options: object) -> None:
    async with engine.transaction() as tx:
        await tx.enqueue_many(payloads, **options)  # type: ignore[arg-type]


async def read_effects(pool: Pool) -> list[str]:
    return [row["text"] for row in await pool.fetch("SELECT text FROM effects ORDER BY id")]


async def assert_nothing_is_held(pool: Pool) -> None:
    assert await pool.fetchval("SELECT count(*) FROM engine.inflight") == 0
    assert await pool.fetchval("SELECT count(*) FROM engine.workers") == 0


async def test_all_that_is_due_runs_in_its_order_and_what_is_not_stays(
    engine: Engine, pool: Pool, handlers: Handlers
) -> None:
    await enqueue(engine, Work(n=1), Work(n=2))
    await enqueue(engine, Work(n=3), priority=Priority.URGENT)
    await enqueue(engine, Work(n=4), delay=HOUR)
    await enqueue(engine, Free(n=7))

    report = await drain(engine)

    assert handlers.started == ["3", "1", "2", "7"]
    assert report.outcomes == {RunOutcome.COMPLETED: 4}
    assert [(job.key, job.state) for job in report.left] == [("4", JobState.PENDING)]
    assert await read_effects(pool) == ["3", "1", "2"]
    await assert_nothing_is_held(pool)


async def test_a_follow_up_runs_in_the_same_drain(engine: Engine, handlers: Handlers) -> None:
    async def script(job: Job[Work]) -> None:
        async with job.transaction() as tx:
            if job.payload.n < 3:
                await tx.enqueue(Work(n=job.payload.n + 1))

    handlers.script = script
    await enqueue(engine, Work(n=0))
    report = await drain(engine)
    assert [run.key for run in report.runs] == ["0", "1", "2", "3"]


async def test_a_failure_is_retried_after_its_delay_and_ends_dead_with_its_hook(
    engine: Engine, pool: Pool, handlers: Handlers
) -> None:
    async def script(_job: Job[Work]) -> None:
        raise ValueError("no good")

    handlers.script = script
    await enqueue(engine, Work(n=0))
    outcomes = []
    for _ in range(3):
        report = await drain(engine)
        outcomes += [run.outcome for run in report.runs]
        with pytest.raises(
            AssertionError, match=r"1 of 1 runs did not succeed:(.|\n)*ValueError: no good(.|\n)*script"
        ):
            report.require_success()
        await advance(engine, HOUR)
    assert outcomes == [RunOutcome.RETRIED, RunOutcome.RETRIED, RunOutcome.DEAD]
    assert await read_effects(pool) == ["dead 0"]
    assert (await drain(engine)).runs == []
    await assert_not_enqueued(engine, Work)
    await assert_enqueued(engine, Work, states=[JobState.DEAD])


async def test_a_snooze_uses_no_attempt(engine: Engine, handlers: Handlers) -> None:
    async def script(job: Job[Work]) -> None:
        if len(handlers.started) == 1:
            raise Snooze(HOUR)
        await write_effect(job)

    handlers.script = script
    await enqueue(engine, Work(n=0))
    assert (await drain(engine)).outcomes == {RunOutcome.SNOOZED: 1}
    assert (await drain(engine)).runs == []
    await advance(engine, HOUR)
    [run] = (await drain(engine)).require_success().runs
    assert run.attempt_number == 1


async def test_an_open_breaker_holds_back_until_its_time_has_come(engine: Engine, handlers: Handlers) -> None:
    async def script(job: Job[Work]) -> None:
        if len(handlers.started) == 1:
            raise ProviderUnavailable("shop", "closed", HOUR)
        await write_effect(job)

    handlers.script = script
    await enqueue(engine, *(Work(n=n) for n in range(6)))
    report = await drain(engine)
    assert report.outcomes == {RunOutcome.PARKED: 1}
    assert [run.attempt.error_class for run in report.runs if run.attempt] == ["ProviderUnavailable"]
    assert len(report.left) == 6

    await advance(engine, 2 * HOUR)
    assert (await drain(engine)).outcomes == {RunOutcome.COMPLETED: 6}
    assert {provider.name: provider.state for provider in await engine.read_providers()}["shop"] == "closed"


async def test_a_batch_handler_gets_its_jobs_together_and_fails_one(
    engine: Engine, pool: Pool, handlers: Handlers
) -> None:
    async def bulk(batch: Batch[Bulk]) -> None:
        async with batch.transaction() as tx:
            for job in batch.jobs:
                if job.payload.note:
                    batch.fail(job, ValueError(job.payload.note))
                else:
                    await insert_effect(tx, job.key)

    handlers.bulk = bulk
    await enqueue(engine, Bulk(n=1), Bulk(n=2, note="bad"), Bulk(n=3))
    report = await drain(engine)
    assert handlers.batches == [["1", "2", "3"]]
    assert {run.key: run.outcome for run in report.runs} == {
        "1": RunOutcome.COMPLETED,
        "2": RunOutcome.RETRIED,
        "3": RunOutcome.COMPLETED,
    }
    assert await read_effects(pool) == ["1", "3"]


async def test_only_the_queues_that_were_named_and_none_that_is_paused(engine: Engine, handlers: Handlers) -> None:
    await enqueue(engine, Work(n=1), Free(n=2), Bulk(n=3))
    await engine.pause("free", OPERATOR)
    report = await drain(engine, queues=["work", "free"])
    assert handlers.started == ["1"]
    assert [job.queue for job in report.left] == ["free"]
    await engine.resume("free", OPERATOR)
    await drain(engine)
    assert (handlers.started, handlers.batches) == (["1", "2"], [["3"]])


async def test_progress_and_lines_are_in_the_report(engine: Engine, handlers: Handlers) -> None:
    async def script(job: Job[Work]) -> None:
        await job.progress(0.5)
        await job.log("half way")
        await write_effect(job)

    handlers.script = script
    await enqueue(engine, Work(n=0))
    [run] = (await drain(engine)).runs
    assert (run.progress, list(run.lines)) == (50.0, ["half way"])
    assert str(run) == "completed work '0' in work, attempt 1"


async def test_jobs_that_go_on_for_ever_are_stopped_and_nothing_stays_held(
    engine: Engine, pool: Pool, handlers: Handlers
) -> None:
    async def script(job: Job[Work]) -> None:
        async with job.transaction() as tx:
            await tx.enqueue_many([Work(n=2 * job.payload.n + 1), Work(n=2 * job.payload.n + 2)])

    handlers.script = script
    await enqueue(engine, Work(n=0))
    with pytest.raises(StillBusy, match="more than 20 runs"):
        await drain(engine, limit=20)
    assert len(handlers.started) == 20
    await assert_nothing_is_held(pool)


async def test_a_cancelled_drain_releases_its_job(engine: Engine, pool: Pool, handlers: Handlers) -> None:
    handlers.gate.clear()
    await enqueue(engine, Work(n=0), Work(n=1))
    draining = asyncio.create_task(drain(engine))
    await asyncio.wait_for(handlers.running.wait(), 60)
    draining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await draining
    await assert_nothing_is_held(pool)
    handlers.gate.set()
    assert (await drain(engine)).outcomes == {RunOutcome.COMPLETED: 2}
    assert await pool.fetchval("SELECT max(attempt) FROM engine.jobs") == 0


async def test_a_missing_job_is_told_with_all_that_is_there(engine: Engine) -> None:
    await enqueue(engine, Work(n=1, note="a"), Work(n=2, note="b"))
    assert [work.n for work in await assert_enqueued(engine, Work, count=2)] == [1, 2]
    assert [work.n for work in await assert_enqueued(engine, Work, lambda work: work.note == "b")] == [2]
    with pytest.raises(AssertionError) as told:
        await assert_enqueued(engine, Work, {"note": "c"})
    assert str(told.value).startswith("expected at least one of Work where note is 'c', found 0; these are pending")
    assert """work {"n": 1, "who": "", "note": "a"} in work, key '1', pending, from""" in str(told.value)
    with pytest.raises(AssertionError, match="expected 1 of Work, found 2"):
        await assert_enqueued(engine, Work, count=1)
    with pytest.raises(AssertionError, match="expected no Work that fit the condition, found 1"):
        await assert_not_enqueued(engine, Work, lambda work: work.n == 2)
    with pytest.raises(ValueError, match="Work has no field colour"):
        await assert_enqueued(engine, Work, {"colour": "red"})
    with pytest.raises(AssertionError, match="found 0; no job is dead"):
        await assert_enqueued(engine, Work, states=[JobState.DEAD])


async def test_an_uncommitted_job_is_seen_on_its_own_connection_only(
    engine: Engine, pool: Pool, database_url: str
) -> None:
    plain = await asyncpg.connect(database_url)  # gives jsonb as text
    async with plain.transaction():
        await plain.execute(
            "INSERT INTO engine.jobs (queue, key, kind, payload, rank)"
            " VALUES ('work', '1', 'work', '{\"n\": 1}', now())"
        )
        assert [work.n for work in await assert_enqueued(plain, Work)] == [1]
        await assert_not_enqueued(pool, Work)
    await plain.close()
    await assert_enqueued(pool, Work)


async def test_a_schedule_is_fired_for_a_chosen_instant(engine: Engine, handlers: Handlers) -> None:
    def make(firing: Firing) -> Work:
        return Work(n=firing.scheduled_at.hour)

    engine.registry.add_schedule("report", "0 8 * * *", "Europe/Berlin", make)
    at = datetime(2026, 7, 1, 6, tzinfo=UTC)
    assert (await fire(engine, "report", at)).created
    assert not (await fire(engine, "report", at)).created
    [run] = (await drain(engine)).require_success().runs
    assert (run.payload["n"], run.key) == (8, "report@2026-07-01T06:00:00Z")
    with pytest.raises(LookupError, match="no schedule 'unknown'"):
        await fire(engine, "unknown")


async def test_a_limited_queue_runs_what_its_rate_lets_through(pool: Pool, handlers: Handlers) -> None:
    registry = build_registry(handlers)
    registry.declare_queue("work", limits=QueueLimits(concurrency=1, rate=Rate(2, HOUR)))
    engine = build_engine(pool, registry)
    await engine.declare()
    await enqueue(engine, *(Work(n=n) for n in range(5)))
    assert len((await drain(engine)).runs) == 2
    assert (await drain(engine)).runs == []
    await advance(engine, HOUR)
    assert len((await drain(engine)).require_success().runs) == 2
    await advance(engine, HOUR)
    await drain(engine)
    assert handlers.started == ["0", "1", "2", "3", "4"]


async def test_urgent_jobs_beyond_the_reserve_keep_their_order(engine: Engine, handlers: Handlers) -> None:
    await enqueue(engine, *(Work(n=n) for n in range(100, 170)), priority=Priority.URGENT)

    (await drain(engine)).require_success()

    assert handlers.started == [str(n) for n in range(100, 170)]


async def test_a_long_drain_is_not_taken_for_dead_by_an_engine_that_runs_beside(pool: Pool, handlers: Handlers) -> None:
    # The other one rescues for all queues, and serves none.
    beside = build_engine(pool, Registry(), SHORT_LEASE)
    engine = build_engine(pool, build_registry(handlers), SHORT_LEASE)

    async def outlast_the_lease(job: Job[Work]) -> None:
        await asyncio.sleep(1.5 * SHORT_LEASE.lease_seconds)
        await write_effect(job)

    handlers.script = outlast_the_lease
    await beside.start()
    try:
        await engine.declare()
        await enqueue(engine, Work(n=1))
        (await drain(engine)).require_success()
    finally:
        await beside.stop()
    assert handlers.started == ["1"]


async def test_nothing_is_said_of_more_jobs_than_are_looked_at(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assertions, "MAX_JOBS", 3)
    await enqueue(engine, *(Free(n=n) for n in range(3)))
    await assert_not_enqueued(engine, Work)
    await enqueue(engine, Work(n=1))

    with pytest.raises(ValueError, match="more than 3 jobs"):
        await assert_not_enqueued(engine, Work)
