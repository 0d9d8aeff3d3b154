"""The claim: only the ledger starts a job, and a lost answer loses nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

import pytest

from tests.support.engine import OPERATOR, WORK, Bench, Work
from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.core.job import ClaimedJob, DispatchId, JobId, WorkerId
from tournee.engine.ports import BrokerUnavailable, LedgerUnavailable, Room

LIMIT = timedelta(minutes=1)


async def mark(bench: Bench) -> list[DispatchId]:
    return [job.id for job in (await bench.engine.store.mark_queued(WORK, Room(100))).jobs]


async def claim(bench: Bench, ids: Sequence[DispatchId]) -> list[ClaimedJob]:
    return list(await bench.engine.store.claim_jobs(ids, WorkerId(uuid4()), LIMIT))


async def test_a_claim_raises_the_lease_and_brings_the_payload_from_the_ledger(bench: Bench) -> None:
    await bench.enqueue(Work(n=1, note="from the ledger"))
    [entry] = await mark(bench)

    [job] = await claim(bench, [entry])

    assert (job.lease, job.payload["note"], job.attempt_number) == (1, "from the ledger", 1)


async def test_a_job_is_claimed_once(bench: Bench) -> None:
    await bench.enqueue(Work(n=1))
    [entry] = await mark(bench)

    assert len(await claim(bench, [entry])) == 1
    assert await claim(bench, [entry]) == []


async def test_another_dispatch_of_the_same_job_cannot_be_claimed(bench: Bench) -> None:
    await bench.enqueue(Work(n=1))
    [entry] = await mark(bench)

    assert await claim(bench, [DispatchId(entry.job_id, entry.dispatch + 1)]) == []
    assert await claim(bench, [DispatchId(JobId(999_999), 1)]) == []


async def test_a_paused_queue_cannot_be_claimed_from(bench: Bench) -> None:
    await bench.enqueue(Work(n=1))
    entries = await mark(bench)
    await bench.engine.pause("work", OPERATOR)

    assert await claim(bench, entries) == []


async def test_nothing_is_claimed_before_its_time(bench: Bench) -> None:
    await bench.enqueue(Work(n=1))
    entries = await mark(bench)
    await bench.pool.execute("UPDATE engine.jobs SET run_at = now() + interval '1 hour'")

    assert await claim(bench, entries) == []


async def test_an_entry_that_no_row_accounts_for_runs_nothing_and_is_removed(bench: Bench) -> None:
    await bench.redis.hset("bull:work:j77-1", mapping={"name": "work", "data": "{}", "opts": "{}", "timestamp": "1"})
    await bench.redis.lpush("bull:work:wait", "j77-1")
    await bench.redis.hset("bull:work:foreign", mapping={"name": "x", "data": "{}", "opts": "{}", "timestamp": "1"})
    await bench.redis.lpush("bull:work:wait", "foreign")

    await bench.start()
    await bench.enqueue(Work(n=1))
    await bench.run_to_rest()

    assert bench.handlers.started == ["1"]
    await bench.assert_both_sides_agree()


async def test_a_claim_whose_answer_was_lost_is_read_again_and_its_jobs_run_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim_jobs = bench.engine.store.claim_jobs
    lost = 0

    async def lose_first_answer(*arguments):  # type: ignore[no-untyped-def]
        nonlocal lost
        jobs = await claim_jobs(*arguments)
        if lost == 0 and jobs:
            lost = len(jobs)
            raise LedgerUnavailable("the answer was lost")
        return jobs

    monkeypatch.setattr(bench.engine.store, "claim_jobs", lose_first_answer)
    await bench.enqueue_work(4)
    await bench.start()
    await bench.run_to_rest()

    assert lost > 0
    assert sorted(bench.handlers.started) == ["0", "1", "2", "3"]
    rows = await bench.pool.fetch("SELECT lease, attempt, suspect FROM engine.jobs")
    assert {tuple(row) for row in rows} == {(1, 0, False)}


async def test_a_pump_that_fails_goes_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    claim_jobs = bench.engine.store.claim_jobs
    failures = iter([KeyError("a fault of ours"), ValueError("another")])

    async def fail_at_first(*arguments):  # type: ignore[no-untyped-def]
        for failure in failures:
            raise failure
        return await claim_jobs(*arguments)

    monkeypatch.setattr(bench.engine.store, "claim_jobs", fail_at_first)
    await bench.enqueue_work(20)
    await bench.start()

    await bench.run_to_rest()


async def test_a_watcher_that_fails_goes_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    wait_for_jobs = BullmqBroker.wait_for_jobs
    failures = iter([RuntimeError("a fault of ours"), BrokerUnavailable("away")])

    async def fail_at_first(*arguments):  # type: ignore[no-untyped-def]
        for failure in failures:
            raise failure
        return await wait_for_jobs(*arguments)

    monkeypatch.setattr(BullmqBroker, "wait_for_jobs", fail_at_first)
    await bench.start()
    await bench.enqueue_work(3)
    await bench.run_to_rest()


async def test_a_worker_holds_no_more_than_it_can_start(bench: Bench) -> None:
    bench.handlers.gate.clear()
    await bench.enqueue_work(30)
    await bench.start(concurrency=3)

    async def have_started() -> bool:
        return len(bench.handlers.started) == 3

    # A row is claimed a moment before its handler runs; none is claimed beyond those.
    await bench.wait_until(have_started)
    assert (await bench.count_states())["running"] == 3
    bench.handlers.gate.set()
    await bench.run_to_rest()


async def test_two_workers_share_a_queue(bench: Bench) -> None:
    bench.handlers.gate.clear()
    await bench.start(concurrency=2, queues=("work",))
    await bench.add_worker(concurrency=2, queues=("work",))
    await bench.enqueue_work(8)

    await bench.wait_for_state("running", 4)
    owners = await bench.pool.fetchval("SELECT count(DISTINCT worker_id) FROM engine.jobs WHERE state = 'running'")
    assert owners == 2
