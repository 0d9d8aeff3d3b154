"""Enqueue: in the caller's transaction, once per key, refused with what to change."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.engine import OPERATOR, WORK, Bench, Free, Work
from tournee.engine.client import InvalidPayload, JobState, Payload, UnknownQueue
from tournee.engine.maintenance.pruner import Pruner


class Stray(Payload, queue="nowhere", kind="stray"):
    """Its queue was never declared."""

    def key(self) -> str:
        return "1"


class Odd(Payload, queue="work", kind="odd"):
    """A payload that a test makes as odd as it likes."""

    value: Any = None
    name: str = "1"
    whose: str = ""

    def key(self) -> str:
        return self.name

    def tenant(self) -> str:
        return self.whose


async def test_the_same_key_is_one_job_and_the_second_answer_says_so(bench: Bench) -> None:
    [first] = await bench.enqueue(Work(n=1))
    [second] = await bench.enqueue(Work(n=1, note="another payload"))

    assert (first.created, second.created) == (True, False)
    assert first.job_id == second.job_id
    assert second.state is JobState.PENDING
    assert (await bench.show(1)).payload["note"] == ""


async def test_one_key_in_two_queues_is_two_jobs(bench: Bench) -> None:
    answers = await bench.enqueue(Work(n=1), Free(n=1))

    assert all(answer.created for answer in answers)
    assert len({answer.job_id for answer in answers}) == 2


async def test_one_call_with_a_key_twice_creates_one(bench: Bench) -> None:
    answers = await bench.enqueue(Work(n=1), Work(n=2), Work(n=1))

    assert [answer.created for answer in answers] == [True, True, False]
    assert answers[0].job_id == answers[2].job_id


async def test_an_answer_for_a_dead_or_cancelled_job_is_no_success(bench: Bench) -> None:
    [live, doomed] = await bench.enqueue(Work(n=1), Work(n=2))
    await bench.engine.cancel([doomed.job_id], OPERATOR)

    [again, cancelled] = await bench.enqueue(Work(n=1), Work(n=2))

    assert (again.job_id, again.succeeded) == (live.job_id, True)
    assert (cancelled.state, cancelled.succeeded) == (JobState.CANCELLED, False)


async def test_a_rolled_back_enqueue_never_runs(bench: Bench) -> None:
    await bench.start()
    with pytest.raises(ValueError, match="changed my mind"):
        async with bench.engine.transaction() as tx:
            await tx.enqueue(Work(n=1))
            raise ValueError("changed my mind")

    await bench.enqueue(Work(n=2))
    await bench.run_to_rest()

    assert bench.handlers.started == ["2"]


async def test_a_join_commits_with_the_callers_own_transaction(bench: Bench) -> None:
    async with bench.pool.acquire() as connection, connection.transaction():
        await connection.execute("INSERT INTO effects (text) VALUES ('the caller')")
        answer = await bench.engine.join(connection).enqueue(Work(n=1))
        assert await bench.pool.fetchval("SELECT count(*) FROM engine.jobs") == 0

    assert (await bench.show(1)).id == answer.job_id
    assert await bench.read_effects() == ["the caller"]


async def test_two_connections_that_enqueue_one_key_make_one_job(bench: Bench) -> None:
    held = asyncio.Event()

    async def enqueue_slowly() -> bool:
        async with bench.engine.transaction() as tx:
            answer = await tx.enqueue(Work(n=1))
            held.set()
            await bench.wait_until(someone_waits_for_a_lock)
        return answer.created

    async def someone_waits_for_a_lock() -> bool:
        return bool(await bench.pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))

    slow = asyncio.create_task(enqueue_slowly())
    await held.wait()
    [second] = await bench.enqueue(Work(n=1))

    assert (await slow, second.created) == (True, False)


async def test_many_connections_that_enqueue_the_same_keys_do_not_deadlock(bench: Bench) -> None:
    orders = [list(range(30)), list(reversed(range(30)))] * 4

    answers = await asyncio.gather(*(bench.enqueue(*(Work(n=n) for n in order)) for order in orders))

    assert sum(answer.created for batch in answers for answer in batch) == 30
    assert await bench.count_states() == {"pending": 30}


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        (Odd(value="x" * 40_000), "larger than"),
        (Odd(value="a\x00b"), "NUL"),
        (Odd(name=""), "key"),
        (Odd(name="k" * 256), "key"),
        (Odd(name="a\x00"), "key"),
        (Odd(whose="a\x00"), "tenant"),
        (Odd.model_construct(name="\ud800", whose=""), "key"),
    ],
    ids=["large", "nul", "no-key", "long-key", "nul-key", "nul-tenant", "surrogate-key"],
)
async def test_a_payload_that_the_ledger_cannot_hold_is_refused_with_the_reason(
    bench: Bench, payload: Odd, complaint: str
) -> None:
    with pytest.raises(InvalidPayload, match=complaint):
        await bench.enqueue(payload)


async def test_a_refused_payload_leaves_the_callers_transaction_usable(bench: Bench) -> None:
    async with bench.engine.transaction() as tx:
        with pytest.raises(InvalidPayload):
            await tx.enqueue(Odd(value="\x00"))
        await tx.enqueue(Work(n=1))

    assert await bench.count_states() == {"pending": 1}


async def test_text_that_only_looks_like_a_nul_escape_is_kept(bench: Bench) -> None:
    await bench.enqueue(Odd(value="\\u0000"))

    assert (await bench.show(1)).payload["value"] == "\\u0000"


async def test_an_unknown_queue_is_refused(bench: Bench) -> None:
    with pytest.raises(UnknownQueue, match="nowhere"):
        await bench.enqueue(Stray())


async def test_a_run_at_without_a_time_zone_is_refused(bench: Bench) -> None:
    with pytest.raises(InvalidPayload, match="time zone"):
        await bench.enqueue(Work(n=1), run_at=datetime(2030, 1, 1))  # noqa: DTZ001 — it is what is refused


async def test_a_delay_counts_by_the_ledgers_clock(bench: Bench) -> None:
    await bench.enqueue(Work(n=1), delay=timedelta(hours=1))
    await bench.enqueue(Work(n=2), run_at=datetime(2035, 5, 5, tzinfo=UTC))

    assert (await bench.show(1)).run_at - (await bench.show(1)).created_at == timedelta(hours=1)
    assert (await bench.show(2)).run_at == datetime(2035, 5, 5, tzinfo=UTC)


async def test_an_enqueue_does_not_wait_for_a_recovery_that_waits_for_redis(bench: Bench) -> None:
    reached, gate = asyncio.Event(), asyncio.Event()

    async def read() -> int | None:
        reached.set()
        await gate.wait()
        return None

    async def write(_epoch: int) -> None:
        return None

    recovery = asyncio.create_task(bench.engine.store.renew_epoch(WORK, read, write))
    await reached.wait()
    async with asyncio.timeout(30):
        await bench.enqueue(*(Work(n=n) for n in range(5)), Free(n=1))
    gate.set()
    await recovery


async def test_a_key_is_remembered_for_the_horizon_and_no_longer(bench: Bench) -> None:
    await bench.start()
    [first] = await bench.enqueue(Work(n=1))
    await bench.run_to_rest()
    pruner = Pruner(bench.engine.store, horizon=timedelta(days=30))

    await bench.pool.execute("UPDATE engine.jobs SET finished_at = now() - interval '29 days'")
    assert await pruner.prune() == 0
    [within] = await bench.enqueue(Work(n=1))
    assert (within.created, within.state, within.job_id) == (False, JobState.COMPLETED, first.job_id)

    await bench.pool.execute("UPDATE engine.jobs SET finished_at = now() - interval '31 days'")
    # The engine's own pruner may have been quicker.
    await pruner.prune()
    [after] = await bench.enqueue(Work(n=1))
    assert (after.created, after.job_id > first.job_id) == (True, True)
    await bench.run_to_rest()
    assert bench.handlers.started == ["1", "1"]
