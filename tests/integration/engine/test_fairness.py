"""Who goes first, and that nobody starves by it: newcomers, urgent jobs, backfills, ageing.

Most of these play the worker themselves, one job a step, so that the order is the engine's and not the machine's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from tests.integration.engine.test_relay import list_waiting_keys, make_relay
from tests.support.engine import Bench, Work
from tournee.engine.client import Priority
from tournee.engine.maintenance.relay import Relay

STANDING = [str(n) for n in range(100, 110)]
"""What fills the window of ten before a flood begins."""


async def run_next(bench: Bench) -> str:
    """Play the worker: the next job of the queue is completed."""
    raw_id = (await bench.redis.rpop("bull:work:wait")).decode()
    row = await bench.pool.fetchrow(
        "WITH done AS"
        " (UPDATE engine.jobs SET state = 'completed' WHERE id = $1 AND state = 'queued' RETURNING id, key),"
        " gone AS (DELETE FROM engine.inflight f USING done d WHERE f.job_id = d.id) SELECT key FROM done",
        int(raw_id[1:].partition("-")[0]),
    )
    assert row is not None
    return str(row["key"])


async def run_under_flood(
    bench: Bench, relay: Relay, flood: Callable[[int], Awaitable[object]], steps: int
) -> list[str]:
    """In each step two jobs of a flood arrive and one job runs; answers the keys in the order of their runs."""
    ran = []
    for step in range(steps):
        await flood(step)
        await relay.fill()
        ran.append(await run_next(bench))
    return ran


async def age(bench: Bench, seconds: int) -> None:
    """All that is pending has waited for so long."""
    for table in ("jobs", "ready"):
        statement = f"UPDATE engine.{table} SET run_at = run_at - $1::interval, rank = rank - $1::interval"
        await bench.pool.execute(statement, timedelta(seconds=seconds))


async def test_a_tenant_with_nothing_in_flight_goes_before_a_backlog_that_fills_the_window(bench: Bench) -> None:
    await bench.enqueue_work(100, first=100, who="large")
    relay = make_relay(bench)
    await relay.fill()
    await bench.enqueue_work(3, first=200, who="fresh")
    await bench.enqueue_work(1, first=300, who="other")

    assert await relay.fill() == 2
    assert await list_waiting_keys(bench) == ["200", "300", *STANDING]
    # The rest of them takes turns: they have something in flight now.
    assert await relay.fill() == 0


async def test_newcomers_go_to_the_front_within_the_reserve_and_urgent_jobs_before_them(bench: Bench) -> None:
    await bench.enqueue_work(100, first=100, who="large")
    relay = make_relay(bench)
    await relay.fill()
    for n in range(8):
        await bench.enqueue_work(1, first=200 + n, who=f"fresh{n}")
    await bench.enqueue(Work(n=300, who="large"), priority=Priority.URGENT)

    assert await relay.fill() == 5
    assert await list_waiting_keys(bench) == ["300", "200", "201", "202", "203", *STANDING]


async def test_a_newcomer_is_added_to_the_front_of_a_window_that_has_room(bench: Bench) -> None:
    await bench.enqueue_work(100, first=100, who="large")
    relay = make_relay(bench)
    await relay.fill()
    for _ in range(3):
        await run_next(bench)
    await bench.enqueue_work(1, first=200, who="fresh")

    assert await relay.fill() == 3
    assert await list_waiting_keys(bench) == ["200", *STANDING[3:], "110", "111"]


async def test_a_newcomers_backfill_overtakes_nobody(bench: Bench) -> None:
    await bench.enqueue_work(100, first=100, who="large")
    relay = make_relay(bench)
    await relay.fill()
    await bench.enqueue(Work(n=200, who="fresh"), priority=Priority.BACKFILL)

    assert await relay.fill() == 0
    assert await list_waiting_keys(bench) == STANDING


async def test_where_many_tenants_share_the_window_a_newcomer_waits_for_its_turn(bench: Bench) -> None:
    for n in range(10):
        await bench.enqueue_work(1, first=100 + n, who=f"t{n}")
    relay = make_relay(bench)
    await relay.fill()
    await bench.enqueue_work(1, first=200, who="fresh")

    assert await relay.fill() == 0
    assert await list_waiting_keys(bench) == STANDING


async def test_a_steady_flood_of_urgent_jobs_starves_nothing_that_stands_in_redis(bench: Bench) -> None:
    await bench.enqueue_work(10, first=100)
    relay = make_relay(bench)
    await relay.fill()

    async def flood(step: int) -> None:
        await bench.enqueue(*(Work(n=1000 + 2 * step + n) for n in range(2)), priority=Priority.URGENT)

    ran = await run_under_flood(bench, relay, flood, 40)

    # The reserve of five goes before, and then every second job at most.
    assert [key for key in ran if key in STANDING] == STANDING
    assert ran.index(STANDING[-1]) < 30
    assert set(ran[:5]).isdisjoint(STANDING), "urgent jobs go first while the reserve lasts"


async def test_a_steady_flood_of_newcomers_starves_nothing_that_stands_in_redis(bench: Bench) -> None:
    await bench.enqueue_work(60, first=100, who="large")
    relay = make_relay(bench)
    await relay.fill()

    async def flood(step: int) -> None:
        for n in range(2):
            await bench.enqueue(Work(n=1000 + 2 * step + n, who=f"fresh{2 * step + n}"))

    ran = await run_under_flood(bench, relay, flood, 40)

    assert [key for key in ran if key in STANDING] == STANDING
    assert ran.index(STANDING[-1]) < 30
    assert not set(ran[:3]) & set(STANDING)


async def test_a_steady_flood_of_urgent_jobs_starves_nothing_that_waits_in_the_ledger(bench: Bench) -> None:
    await bench.enqueue_work(5, first=500, who="patient")
    await age(bench, 61)
    relay = make_relay(bench)

    async def flood(step: int) -> None:
        if step == 0:
            await bench.enqueue(*(Work(n=5000 + n, who="loud") for n in range(40)), priority=Priority.URGENT)
        await bench.enqueue(*(Work(n=1000 + 2 * step + n, who="loud") for n in range(2)), priority=Priority.URGENT)

    ran = await run_under_flood(bench, relay, flood, 40)

    assert {"500", "501", "502", "503", "504"} <= set(ran)


async def test_one_tenants_aged_jobs_get_a_share_beside_its_own_flood_of_urgent_ones(bench: Bench) -> None:
    await bench.enqueue_work(5, first=500)
    await bench.enqueue(Work(n=600), priority=Priority.BACKFILL)
    await age(bench, 130)
    relay = make_relay(bench)

    async def flood(step: int) -> None:
        many = 40 if step == 0 else 2
        await bench.enqueue(*(Work(n=1000 + 100 * step + n) for n in range(many)), priority=Priority.URGENT)

    ran = await run_under_flood(bench, relay, flood, 40)

    aged = [key for key in ran if key in {"500", "501", "502", "503", "504", "600"}]
    assert aged == ["500", "501", "502", "503", "504", "600"]


async def test_a_job_that_has_waited_for_the_ageing_interval_goes_before_a_younger_one_of_higher_priority(
    bench: Bench,
) -> None:
    await bench.enqueue(Work(n=1), priority=Priority.BACKFILL)
    await age(bench, 61)
    await bench.enqueue(Work(n=2), priority=Priority.BACKFILL)
    await bench.enqueue(Work(n=3))
    await bench.enqueue(Work(n=4), priority=Priority.URGENT)

    await make_relay(bench).fill()

    assert await list_waiting_keys(bench) == ["4", "1", "3", "2"]


async def test_a_fresh_job_starts_before_what_waits_of_a_large_backfill(bench: Bench) -> None:
    """The large scenario at a small scale: four run, a window waits behind them, hundreds behind that."""
    handlers = bench.handlers
    handlers.gate.clear()
    await bench.start(concurrency=4, queues=("work",))
    await bench.enqueue_work(300, who="backfill")

    async def window_is_full() -> bool:
        counts = await bench.count_states()
        return counts.get("running") == 4 and counts.get("queued", 0) >= 20

    await bench.wait_until(window_is_full)
    await bench.enqueue(Work(n=1000, who="fresh"))

    async def dispatched() -> bool:
        return (await bench.list_waiting())[:1] == [f"j{(await bench.show(1000)).id}-1"]

    await bench.wait_until(dispatched)
    handlers.gate.set()
    await bench.run_to_rest()

    # Four were running. With the places that they leave it is the next; at the back it would be the 25th.
    assert handlers.started.index("1000") < 8
