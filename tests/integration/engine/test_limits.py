"""Limits of queues and tenants: never exceeded, whoever fills the window, and no place stays empty for a poll."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from tests.integration.engine.conftest import OpenBench
from tests.integration.engine.test_relay import list_waiting_keys, make_relay
from tests.support.engine import OPERATOR, QUICK_ENGINE, WORK, Bench, Handlers, Work, build_registry
from tournee.engine.client import Priority, QueueLimits, Rate
from tournee.engine.ports import Room

NO_POLL = replace(QUICK_ENGINE, look_seconds=3600.0)
HOUR = timedelta(hours=1)

WATCH = """
CREATE TABLE high_water (queued int, of_a_tenant int);
CREATE FUNCTION note_high_water() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO high_water SELECT sum(n), max(n) FROM (SELECT count(*) AS n FROM engine.inflight GROUP BY tenant) t;
    RETURN NULL;
END $$;
CREATE TRIGGER high_water AFTER INSERT ON engine.inflight FOR EACH STATEMENT EXECUTE FUNCTION note_high_water();
"""


WATCH_SPENDING = """
CREATE TABLE spent (spender bigint, at timestamptz);
CREATE TABLE marked (spender bigint, n int);
CREATE FUNCTION note_spent() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO spent VALUES (pg_current_xact_id()::text::bigint, new.refilled_at);
    RETURN NULL;
END $$;
CREATE FUNCTION note_marked() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO marked SELECT pg_current_xact_id()::text::bigint, count(*) FROM added;
    RETURN NULL;
END $$;
CREATE TRIGGER spent AFTER INSERT OR UPDATE ON engine.rate_buckets FOR EACH ROW EXECUTE FUNCTION note_spent();
CREATE TRIGGER marked AFTER INSERT ON engine.inflight REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION note_marked();
"""
"""What each mark took, and the instant by which its tokens were counted: rows bear the time of their transaction's
beginning, and the machine may stand still between the two."""


async def count_in_flight(bench: Bench) -> dict[str, int]:
    rows = await bench.pool.fetch("SELECT tenant, count(*) AS n FROM engine.inflight GROUP BY tenant")
    return {row["tenant"]: row["n"] for row in rows}


async def finish(bench: Bench, *keys: int) -> None:
    """As if a worker had completed them."""
    await bench.pool.execute(
        "WITH done AS (UPDATE engine.jobs SET state = 'completed' WHERE key = ANY ($1) RETURNING id)"
        " DELETE FROM engine.inflight f USING done WHERE f.job_id = done.id",
        [str(key) for key in keys],
    )


async def let_time_pass(bench: Bench, duration: timedelta) -> None:
    """For the buckets."""
    await bench.pool.execute("UPDATE engine.rate_buckets SET refilled_at = refilled_at - $1::interval", duration)


async def test_limits_hold_over_all_processes_at_every_instant(open_benches: OpenBench) -> None:
    limits = QueueLimits(concurrency=5, per_tenant_concurrency=2)
    benches = [await open_benches(limits=limits) for _ in range(3)]
    bench = benches[0]
    await bench.pool.execute(WATCH)
    for one in benches:
        await one.start(concurrency=4, queues=("work",))
    for tenant in range(4):
        await bench.enqueue_work(15, first=tenant * 100, who=f"t{tenant}")
    await bench.enqueue(*(Work(n=900 + n, who="t0") for n in range(10)), priority=Priority.URGENT)

    await bench.run_to_rest()

    highest = await bench.pool.fetchrow("SELECT max(queued) AS queued, max(of_a_tenant) AS of_a_tenant FROM high_water")
    assert highest is not None
    assert tuple(highest) == (5, 2)
    assert await bench.count_states() == {"completed": 70}
    await bench.assert_consistent()


async def test_a_queue_of_limit_one_goes_on_without_a_poll(open_benches: OpenBench) -> None:
    bench = await open_benches(settings=NO_POLL, limits=QueueLimits(concurrency=1))
    await bench.start()
    await bench.enqueue_work(20)
    await bench.run_to_rest()


async def test_who_settles_a_job_nudges_though_another_process_filled_the_queue(
    open_benches: OpenBench,
) -> None:
    limits = QueueLimits(concurrency=1)
    asking, working = [await open_benches(settings=NO_POLL, limits=limits) for _ in range(2)]
    await asking.engine.start()
    await working.start()
    await asking.enqueue_work(20)
    await working.run_to_rest()


async def test_a_tenant_of_limit_one_goes_on_without_a_poll(open_benches: OpenBench) -> None:
    bench = await open_benches(settings=NO_POLL, limits=QueueLimits(per_tenant_concurrency=1))
    await bench.start()
    await bench.enqueue_work(15, who="one")
    await bench.enqueue_work(15, first=100, who="other")
    await bench.run_to_rest()


async def test_a_cancelled_job_makes_room_without_a_poll(open_benches: OpenBench) -> None:
    bench = await open_benches(settings=NO_POLL, limits=QueueLimits(concurrency=1))
    await bench.engine.start()
    await bench.enqueue(Work(n=1))
    await bench.wait_for_state("queued")
    await bench.enqueue(Work(n=2))

    await bench.engine.cancel([(await bench.show(1)).id], OPERATOR)

    async def second_is_queued() -> bool:
        return (await bench.show(2)).state == "queued"

    await bench.wait_until(second_is_queued)


async def test_a_tenant_at_its_limit_is_passed_over_urgent_or_not(open_benches: OpenBench) -> None:
    bench = await open_benches(limits=QueueLimits(per_tenant_concurrency=2))
    relay = make_relay(bench)
    await bench.enqueue_work(5, who="busy")
    await relay.fill()
    await bench.enqueue(Work(n=50, who="busy"), Work(n=60, who="calm"), priority=Priority.URGENT)
    await bench.enqueue_work(5, first=70, who="calm")

    await relay.fill()

    assert await count_in_flight(bench) == {"busy": 2, "calm": 2}
    assert await list_waiting_keys(bench) == ["60", "0", "1", "70"]

    await finish(bench, 0)
    assert await relay.fill() == 1
    assert (await bench.show(50)).state == "queued"


async def test_hundreds_of_tenants_at_their_limit_hide_nobody_behind_them(open_benches: OpenBench) -> None:
    bench = await open_benches(limits=QueueLimits(per_tenant_concurrency=1))
    await bench.enqueue(*(Work(n=n, who=f"t{n % 300:03}") for n in range(600)))
    await bench.pool.execute(
        """
        WITH first AS (UPDATE engine.jobs SET state = 'running' WHERE key::int < 300 RETURNING id, queue, tenant),
             not_ready AS (DELETE FROM engine.ready r USING first f WHERE r.job_id = f.id)
        INSERT INTO engine.inflight SELECT queue, id, tenant FROM first
        """
    )
    await bench.enqueue_work(3, first=1000, who="zoë")

    # Room for ten more, and three hundred tenants with work stand before the one that may have it.
    marked = await bench.engine.store.mark_queued(WORK, Room(310))

    assert [job.key for job in marked.jobs] == ["1000"]


async def test_a_limit_that_is_lowered_lets_nothing_more_through_until_there_is_room(open_benches: OpenBench) -> None:
    bench = await open_benches(limits=QueueLimits(concurrency=4))
    await bench.enqueue_work(10)
    assert await make_relay(bench).fill() == 4

    lowered = build_registry(Handlers(), limits=QueueLimits(concurrency=2))
    await bench.engine.store.declare_queues(lowered.queues)
    await finish(bench, 0, 1)
    assert await make_relay(bench).fill() == 0
    await finish(bench, 2)
    assert await make_relay(bench).fill() == 1

    await bench.engine.store.declare_queues(build_registry(Handlers()).queues)
    assert await make_relay(bench).fill() == 5


async def test_a_rate_lets_its_burst_through_and_then_what_flows_in(open_benches: OpenBench) -> None:
    bench = await open_benches(limits=QueueLimits(rate=Rate(5, HOUR)))
    await bench.enqueue_work(30)
    relays = [make_relay(bench) for _ in range(4)]

    assert sum(await asyncio.gather(*(relay.fill() for relay in relays))) == 5
    assert await relays[0].fill() == 0
    await let_time_pass(bench, HOUR / 5 * 2)
    assert sum(await asyncio.gather(*(relay.fill() for relay in relays))) == 2
    await finish(bench, *range(7))
    await let_time_pass(bench, 100 * HOUR)
    assert await relays[0].fill() == 5


async def test_urgent_jobs_need_tokens_too(open_benches: OpenBench) -> None:
    bench = await open_benches(limits=QueueLimits(rate=Rate(3, HOUR)))
    await bench.enqueue(*(Work(n=n) for n in range(9)), priority=Priority.URGENT)

    assert await make_relay(bench).fill() == 3


async def test_each_tenant_has_its_own_rate_and_jobs_without_one_are_a_tenant(open_benches: OpenBench) -> None:
    limits = QueueLimits(rate=Rate(7, HOUR), per_tenant_rate=Rate(2, HOUR))
    bench = await open_benches(limits=limits)
    for index, tenant in enumerate(("", "a", "b")):
        await bench.enqueue_work(5, first=index * 10, who=tenant)
    relay = make_relay(bench)

    await relay.fill()
    assert await count_in_flight(bench) == {"": 2, "a": 2, "b": 2}
    await let_time_pass(bench, HOUR / 2)
    # One more for each, but the queue's own bucket holds only so many.
    await finish(bench, 0, 10, 20)
    assert await relay.fill() == 3
    tokens = await bench.pool.fetchval("SELECT tokens FROM engine.rate_buckets WHERE scope = 'queue'")
    assert 1.4 < tokens < 1.6


async def test_a_mark_that_is_rolled_back_spends_nothing(open_benches: OpenBench) -> None:
    bench = await open_benches(limits=QueueLimits(rate=Rate(2, HOUR)))
    await bench.enqueue_work(5)
    async with bench.pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE engine.rate_buckets IN SHARE MODE")
        filling = asyncio.create_task(make_relay(bench).fill())

        async def waits() -> bool:
            return bool(await bench.pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))

        await bench.wait_until(waits)
        filling.cancel()
        await asyncio.gather(filling, return_exceptions=True)

    async def is_rolled_back() -> bool:
        # The server rolls back when it finds the connection closed; until then the queue's fill lock is held.
        return not await bench.pool.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")

    await bench.wait_until(is_rolled_back)
    assert await bench.count_states() == {"pending": 5}
    assert await make_relay(bench).fill() == 2


async def test_a_rated_queue_flows_without_a_poll_and_never_faster(open_benches: OpenBench) -> None:
    bench = await open_benches(settings=NO_POLL, limits=QueueLimits(rate=Rate(4, timedelta(milliseconds=400))))
    await bench.pool.execute(WATCH_SPENDING)
    await bench.start()
    await bench.enqueue_work(12)
    await bench.run_to_rest()

    rows = await bench.pool.fetch("SELECT at, n FROM spent JOIN marked USING (spender) WHERE n > 0 ORDER BY at")
    times = [row["at"].timestamp() for row in rows for _ in range(row["n"])]
    assert len(times) == 12
    for first, began in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= 4 + (times[last] - began) * 10 + 0.001


async def test_a_rated_tenant_flows_without_a_poll(open_benches: OpenBench) -> None:
    limits = QueueLimits(per_tenant_rate=Rate(1, timedelta(milliseconds=50)))
    bench = await open_benches(settings=NO_POLL, limits=limits)
    await bench.start()
    await bench.enqueue_work(5, who="a")
    await bench.enqueue_work(5, first=10, who="b")
    await bench.run_to_rest()


async def test_buckets_that_are_full_again_are_removed(open_benches: OpenBench) -> None:
    bench = await open_benches(limits=QueueLimits(rate=Rate(50, HOUR), per_tenant_rate=Rate(2, HOUR / 60)))
    await bench.enqueue_work(2, who="a")
    await bench.enqueue_work(2, first=10, who="b")
    await make_relay(bench).fill()
    assert await bench.engine.store.prune_buckets() == 0

    await bench.pool.execute("UPDATE engine.rate_buckets SET refilled_at = refilled_at - interval '61 s'")

    assert await bench.engine.store.prune_buckets() == 2
    left = await bench.pool.fetch("SELECT scope, tenant FROM engine.rate_buckets")
    assert [tuple(row) for row in left] == [("queue", "")]


async def test_a_clock_that_was_set_back_stops_no_bucket(bench: Bench) -> None:
    tokens = await bench.pool.fetchval(
        "SELECT engine.count_tokens(0, now() + interval '1 hour', 5, interval '1 minute', now())"
    )
    assert tokens == 5


async def test_the_queue_tells_its_relay_what_limits_it(open_benches: OpenBench) -> None:
    bench = await open_benches(limits=QueueLimits(concurrency=3, rate=Rate(5, HOUR)))
    gate = await bench.engine.store.read_gate(WORK)
    assert (gate.concurrency_limit, gate.limited) == (3, True)
