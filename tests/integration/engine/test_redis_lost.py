"""Redis may vanish at any instant, whole or in part: every live job runs again, once."""

from __future__ import annotations

import asyncio
import random

from tests.integration.engine.conftest import OpenBench
from tests.support.engine import WORK, Bench, Work, write_effect
from tests.support.servers import SessionServers
from tournee.engine.client import Job
from tournee.engine.maintenance.reconciler import Reconciler


async def assert_each_ran_once(bench: Bench, count: int) -> None:
    assert await bench.count_states() == {"completed": count}
    assert sorted(await bench.read_effects(), key=int) == [str(n) for n in range(count)]
    assert await bench.pool.fetchval("SELECT count(*) FROM engine.jobs WHERE attempt > 0 OR crashes > 0") == 0
    await bench.assert_consistent()
    await bench.assert_both_sides_agree()


async def test_a_flush_while_idle_is_seen_and_the_next_jobs_run(bench: Bench) -> None:
    await bench.start()
    await bench.enqueue_work(5)
    await bench.run_to_rest()
    await bench.redis.flushall()
    await bench.enqueue(*(Work(n=n) for n in range(5, 10)))
    await bench.run_to_rest()

    await assert_each_ran_once(bench, 10)


async def test_a_flush_with_a_backlog_costs_a_window(bench: Bench) -> None:
    async def script(job: Job[Work]) -> None:
        await asyncio.sleep(0.003)
        await write_effect(job)

    bench.handlers.script = script
    await bench.enqueue_work(400)
    await bench.start(concurrency=5)
    for finished in (50, 150, 250):

        async def so_many_done(finished: int = finished) -> bool:
            return (await bench.count_states()).get("completed", 0) >= finished

        await bench.wait_until(so_many_done)
        await bench.redis.flushall()
    await bench.run_to_rest()

    await assert_each_ran_once(bench, 400)


async def test_a_flush_during_a_bulk_add_loses_nothing(bench: Bench) -> None:
    add = bench.broker.add
    flushes = 0

    async def flush_in_the_middle(queue, jobs):  # type: ignore[no-untyped-def]
        nonlocal flushes
        half = len(jobs) // 2
        await add(queue, jobs[:half])
        if flushes < 3 and half:
            flushes += 1
            await bench.redis.flushall()
        await add(queue, jobs[half:])

    bench.broker.add = flush_in_the_middle  # type: ignore[method-assign]
    await bench.enqueue_work(100)
    await bench.start()
    await bench.run_to_rest()

    assert flushes == 3
    await assert_each_ran_once(bench, 100)


async def test_a_flush_while_handlers_run_lets_them_finish_once(bench: Bench) -> None:
    bench.handlers.gate.clear()
    await bench.enqueue_work(30)
    await bench.start(concurrency=4)
    await bench.wait_for_state("running", 4)
    await bench.redis.flushall()
    bench.handlers.gate.set()
    await bench.run_to_rest()

    await assert_each_ran_once(bench, 30)


async def test_a_restart_without_persistence_is_a_flush(bench: Bench, servers: SessionServers) -> None:
    await bench.enqueue_work(200)
    await bench.start()

    async def some_done() -> bool:
        return (await bench.count_states()).get("completed", 0) >= 20

    await bench.wait_until(some_done)
    await bench.redis.flushall()
    await servers.valkey.kill()
    await servers.valkey.start()
    await bench.run_to_rest()

    await assert_each_ran_once(bench, 200)


async def test_a_random_third_of_the_keys_lost_is_mended_by_the_comparison(bench: Bench) -> None:
    bench.handlers.gate.clear()
    await bench.enqueue_work(60)
    await bench.start(concurrency=5)
    await bench.wait_for_state("running", 5)
    dice = random.Random(7)
    keys = sorted(await bench.redis.keys("bull:work:*"))
    await bench.redis.delete(*dice.sample(keys, len(keys) // 3))
    bench.handlers.gate.set()
    await bench.run_to_rest()

    await assert_each_ran_once(bench, 60)


async def test_entries_that_a_hand_moved_in_redis_run_all_the_same(bench: Bench) -> None:
    await bench.enqueue_work(12)
    await bench.engine.start()
    await bench.wait_for_state("queued", 12)
    base = "bull:work:"
    ids = await bench.list_waiting()
    for raw_id in ids[:3]:
        await bench.redis.lrem(f"{base}wait", 0, raw_id)
    for raw_id in ids[3:6]:
        await bench.redis.lrem(f"{base}wait", 0, raw_id)
        await bench.redis.zadd(f"{base}delayed", {raw_id: 9e15})
    for raw_id in ids[6:9]:
        await bench.redis.delete(f"{base}{raw_id}")
    await bench.redis.lrem(f"{base}wait", 0, ids[9])
    await bench.redis.lpush(f"{base}active", ids[9])
    await bench.redis.lpush(f"{base}wait", ids[10])

    await bench.add_worker(queues=("work",))
    await bench.run_to_rest()

    await assert_each_ran_once(bench, 12)


async def test_processes_that_see_one_loss_renew_the_epoch_once(open_benches: OpenBench) -> None:
    benches = [await open_benches() for _ in range(4)]
    for bench in benches:
        await bench.engine.start()

    async def bound() -> bool:
        depth = await benches[0].broker.read_depth(WORK)
        return depth.epoch == (await benches[0].engine.store.read_epochs())[WORK]

    await benches[0].wait_until(bound)
    before = (await benches[0].engine.store.read_epochs())[WORK]
    await benches[0].redis.flushall()
    for bench in benches:
        bench.engine.nudge()
    await benches[0].wait_until(bound)
    for bench in benches:
        bench.engine.nudge()
    await asyncio.sleep(0.2)

    assert (await benches[0].engine.store.read_epochs())[WORK] == before + 1


async def test_redis_away_is_waited_for_and_enqueues_do_not_notice(bench: Bench, servers: SessionServers) -> None:
    await bench.start()
    await bench.enqueue_work(3)
    await bench.run_to_rest()
    await servers.valkey.kill()
    async with asyncio.timeout(30):
        await bench.enqueue(*(Work(n=n) for n in range(3, 6)))
    await servers.valkey.start()
    await bench.run_to_rest()

    await assert_each_ran_once(bench, 6)


async def test_two_looks_that_follow_each_other_at_once_discard_no_orphan(bench: Bench) -> None:
    """As that after a rescue follows the periodic one: the worker of a completed job may be about to tell Redis."""
    reconciler = Reconciler(bench.engine.store, bench.broker, orphan_seconds=0.5)
    await reconciler.compare(WORK)
    await bench.redis.lpush("bull:work:wait", "j1-1")
    loop = asyncio.get_running_loop()
    first_look_at = loop.time()

    async def discarded() -> bool:
        return (await reconciler.compare(WORK)).discarded == 1

    await bench.wait_until(discarded, 20)
    assert loop.time() - first_look_at >= 0.5
    assert await bench.list_waiting() == []
