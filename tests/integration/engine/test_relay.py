"""The relay: how much stands in Redis, in which order, and what never gets there."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.integration.engine.conftest import OpenBench
from tests.support.engine import OPERATOR, QUICK_ENGINE, WORK, Bench, Work
from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.client import EngineSettings, Priority
from tournee.engine.core.breaker import BreakerPolicy
from tournee.engine.core.window import WindowPolicy
from tournee.engine.maintenance.reconciler import Reconciler
from tournee.engine.maintenance.relay import Relay
from tournee.engine.ports import BrokerUnavailable

WINDOW = WindowPolicy(minimum=10, maximum=100, urgent_reserve=5)


def make_relay(bench: Bench) -> Relay:
    store = bench.engine.store
    settings = EngineSettings(window=WINDOW, breakers=BreakerPolicy(probes=3))
    return Relay(WORK, store, bench.broker, Reconciler(store, bench.broker), settings)


async def list_waiting_keys(bench: Bench) -> list[str]:
    rows = await bench.pool.fetch("SELECT id, dispatch, key FROM engine.jobs")
    keys = {f"j{row['id']}-{row['dispatch']}": row["key"] for row in rows}
    return [keys[raw_id] for raw_id in await bench.list_waiting()]


async def test_redis_holds_a_window_whatever_the_backlog(bench: Bench) -> None:
    await bench.enqueue_work(500)
    relay = make_relay(bench)

    assert await relay.fill() == 10
    assert await relay.fill() == 0
    assert await bench.count_states() == {"pending": 490, "queued": 10}
    assert len(await bench.list_waiting()) == 10
    await bench.assert_consistent()


async def test_two_relays_at_once_fill_one_window(bench: Bench) -> None:
    await bench.enqueue_work(500)
    relays = [make_relay(bench) for _ in range(6)]

    await asyncio.gather(*(relay.fill() for relay in relays))

    assert len(await bench.list_waiting()) == 10


async def test_jobs_run_in_the_order_of_their_rank_and_a_backfill_goes_later(bench: Bench) -> None:
    await bench.enqueue(Work(n=1), priority=Priority.BACKFILL)
    await bench.enqueue(Work(n=2))
    await bench.enqueue(Work(n=3))

    await make_relay(bench).fill()

    assert await list_waiting_keys(bench) == ["2", "3", "1"]


async def test_a_backfill_that_has_waited_for_the_ageing_interval_goes_first(bench: Bench) -> None:
    await bench.enqueue(Work(n=1), priority=Priority.BACKFILL)
    await bench.pool.execute(
        "UPDATE engine.jobs SET rank = rank - interval '61 s'; UPDATE engine.ready SET rank = rank - interval '61 s'"
    )
    await bench.enqueue(Work(n=2))

    await make_relay(bench).fill()

    assert await list_waiting_keys(bench) == ["1", "2"]


async def test_urgent_jobs_go_to_the_front_the_oldest_of_them_first(bench: Bench) -> None:
    await bench.enqueue_work(4)
    relay = make_relay(bench)
    await relay.fill()
    for n in (10, 11, 12):
        await bench.enqueue(Work(n=n), priority=Priority.URGENT)
    await relay.fill()

    assert await list_waiting_keys(bench) == ["10", "11", "12", "0", "1", "2", "3"]


async def test_urgent_jobs_may_exceed_a_full_window_by_the_reserve_and_no_more(bench: Bench) -> None:
    await bench.enqueue_work(50)
    relay = make_relay(bench)
    await relay.fill()
    for n in range(100, 120):
        await bench.enqueue(Work(n=n), priority=Priority.URGENT)

    assert await relay.fill() == 5
    assert await relay.fill() == 0
    assert (await list_waiting_keys(bench))[:5] == ["100", "101", "102", "103", "104"]


async def test_tenants_take_turns(bench: Bench) -> None:
    await bench.enqueue_work(100, who="large")
    await bench.enqueue(Work(n=200, who="small"), Work(n=201, who="small"))
    await bench.enqueue(Work(n=300, who="tiny"))

    await make_relay(bench).fill()

    waiting = await list_waiting_keys(bench)
    assert {"200", "300"} < set(waiting[:3])
    assert waiting.index("201") < 5
    assert len(waiting) == 10


async def test_more_tenants_than_room_are_all_served_in_rounds(bench: Bench) -> None:
    for tenant in range(25):
        await bench.enqueue_work(4, first=tenant * 10, who=f"t{tenant:02}")
    served: list[str] = []
    relay = make_relay(bench)
    for _ in range(5):
        await relay.fill()
        rows = await bench.pool.fetch("SELECT tenant FROM engine.jobs WHERE state = 'queued'")
        served += [row["tenant"] for row in rows]
        await bench.pool.execute(
            "UPDATE engine.jobs SET state = 'completed' WHERE state = 'queued'; DELETE FROM engine.inflight"
        )

    assert {served.count(tenant) for tenant in set(served)} == {2}
    assert len(set(served)) == 25


async def test_nothing_is_dispatched_before_its_time(bench: Bench) -> None:
    await bench.enqueue(Work(n=1), delay=timedelta(hours=1))
    relay = make_relay(bench)
    assert await relay.fill() == 0
    await bench.enqueue(Work(n=2), delay=timedelta(milliseconds=300))

    async def dispatched() -> bool:
        return await relay.fill() == 1

    await bench.wait_until(dispatched)
    row = await bench.show(2)
    assert row.dispatched_at is not None
    assert row.dispatched_at >= row.run_at
    assert await list_waiting_keys(bench) == ["2"]


async def test_urgent_jobs_whose_time_has_come_are_promoted_first_though_many_wait(bench: Bench) -> None:
    await bench.enqueue(*(Work(n=n) for n in range(30)), delay=timedelta(milliseconds=50))
    await bench.enqueue(Work(n=99), delay=timedelta(milliseconds=60), priority=Priority.URGENT)

    async def due() -> bool:
        return bool(await bench.pool.fetchval("SELECT max(run_at) <= now() FROM engine.ready"))

    await bench.wait_until(due)
    await make_relay(bench).fill()

    assert (await list_waiting_keys(bench))[0] == "99"


async def test_a_paused_queue_dispatches_nothing_and_gives_back_what_was_fetched(bench: Bench) -> None:
    await bench.enqueue_work(3)
    await make_relay(bench).fill()
    await bench.engine.pause("work", OPERATOR)
    await bench.enqueue_work(3, first=10)

    await bench.start()
    await bench.wait_for_state("pending", 6)
    assert bench.handlers.started == []

    await bench.engine.resume("work", OPERATOR)
    await bench.run_to_rest()
    assert await bench.count_states() == {"completed": 6}
    await bench.assert_both_sides_agree()


async def test_what_redis_did_not_take_goes_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.enqueue_work(5)
    relay = make_relay(bench)

    async def refuse(*_: object) -> None:
        raise BrokerUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(BullmqBroker, "add", refuse)
        with pytest.raises(BrokerUnavailable):
            await relay.fill()
    assert await bench.count_states() == {"pending": 5}
    await bench.assert_consistent()

    assert await relay.fill() == 5
    assert {row.dispatch for row in [await bench.show(n) for n in range(5)]} == {2}


async def test_rows_go_back_whatever_kept_them_from_being_added(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.enqueue_work(5)

    async def break_down(*_: object) -> None:
        raise KeyError("a fault of ours")

    with monkeypatch.context() as patch:
        patch.setattr(BullmqBroker, "add", break_down)
        with pytest.raises(KeyError):
            await make_relay(bench).fill()

    assert await bench.count_states() == {"pending": 5}


async def test_a_relay_that_dies_between_mark_and_add_leaves_its_rows_to_the_comparison(bench: Bench) -> None:
    await bench.enqueue_work(5)
    await make_relay(bench).fill()
    await bench.redis.delete("bull:work:wait")

    compared = await Reconciler(bench.engine.store, bench.broker).compare(WORK, timedelta(0))

    assert compared.returned == 5
    assert await bench.count_states() == {"pending": 5}


async def test_a_job_is_dispatched_at_once_after_its_commit(open_benches: OpenBench) -> None:
    """The poll is an hour away: only the nudge after the commit can have done it."""
    bench = await open_benches(settings=replace(QUICK_ENGINE, look_seconds=3600.0))
    await bench.start()
    await bench.enqueue(Work(n=1))
    await bench.run_to_rest()


async def test_a_backlog_larger_than_the_window_flows_without_the_poll(open_benches: OpenBench) -> None:
    bench = await open_benches(settings=replace(QUICK_ENGINE, look_seconds=3600.0))
    await bench.start(concurrency=3)
    await bench.enqueue_work(150)
    await bench.run_to_rest()


async def test_a_fill_over_many_tenants_and_rows_stays_in_the_narrow_table(bench: Bench) -> None:
    await bench.pool.execute(
        """
        INSERT INTO engine.jobs (queue, key, kind, payload, tenant, rank)
        SELECT 'work', n::text, 'work', '{}', 'mailbox:' || n % 2000, now() FROM generate_series(1, 40000) n;
        INSERT INTO engine.ready SELECT id, queue, tenant, rank, run_at, false, true FROM engine.jobs;
        ANALYZE engine.jobs; ANALYZE engine.ready;
        """
    )
    relay = make_relay(bench)
    async with asyncio.timeout(60):
        assert await relay.fill() == 10
    rows = await bench.pool.fetch("SELECT DISTINCT tenant FROM engine.jobs WHERE state = 'queued'")
    assert len(rows) == 10
    scans = await bench.pool.fetchval(
        "SELECT coalesce(sum(seq_scan), 0) FROM pg_stat_user_tables WHERE schemaname = 'engine' AND relname = 'ready'"
    )
    await bench.enqueue_work(1, first=100_000)
    await relay.fill()
    await bench.pool.execute("SELECT pg_stat_force_next_flush()")
    again = await bench.pool.fetchval(
        "SELECT coalesce(sum(seq_scan), 0) FROM pg_stat_user_tables WHERE schemaname = 'engine' AND relname = 'ready'"
    )
    assert again == scans
