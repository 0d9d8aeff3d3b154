"""What the reconciler is told of a queue: depth, snapshot, leftovers."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.broker import BASE, QUEUE, TOKEN, Client, MakeBroker, dispatch_id, finish, make_job, run_to_death
from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.core.job import QueueName


async def test_the_depth_counts_each_list_and_reads_the_epoch(broker: BullmqBroker) -> None:
    await run_to_death(broker, 1, 2)
    await broker.add(QUEUE, [make_job(number) for number in range(3, 10)])
    held = await broker.exchange(QUEUE, [], 3, TOKEN)
    await broker.exchange(QUEUE, [finish(held[0])], 0, TOKEN)
    await broker.write_epoch(QUEUE, 41)

    depth = await broker.read_depth(QUEUE)

    assert (depth.waiting, depth.active, depth.failed, depth.completed, depth.epoch) == (4, 2, 2, 1, 41)


async def test_a_queue_that_never_was_is_empty_and_has_no_epoch(broker: BullmqBroker) -> None:
    snapshot = await broker.snapshot(QUEUE)

    assert not snapshot.present | snapshot.unlocked
    assert not snapshot.foreign
    assert snapshot.epoch is None
    assert (await broker.read_depth(QUEUE)).waiting == 0


async def test_an_unreadable_epoch_counts_as_missing(broker: BullmqBroker, server: Client) -> None:
    await server.set(f"{BASE}tournee-epoch", "rubbish")

    assert (await broker.snapshot(QUEUE)).epoch is None


async def test_the_epoch_brings_the_queues_description_back(make_broker: MakeBroker, server: Client) -> None:
    broker = make_broker(keep_events=250)
    await broker.add(QUEUE, [make_job(1)])

    await broker.write_epoch(QUEUE, 2)

    meta = await server.hgetall(f"{BASE}meta")
    assert meta["version"].startswith("bullmq:3.")
    assert meta["opts.maxLenEvents"] == "250"


async def test_the_event_stream_stays_bounded(make_broker: MakeBroker, server: Client) -> None:
    broker = make_broker(keep_events=200)
    await broker.write_epoch(QUEUE, 1)
    await broker.add(QUEUE, [make_job(number) for number in range(1, 1_001)])

    fetched = await broker.exchange(QUEUE, [], 1_000, TOKEN)
    await broker.exchange(QUEUE, [finish(entry) for entry in fetched], 0, TOKEN)

    assert await server.xlen(f"{BASE}events") < 500


async def test_an_active_id_counts_as_present_only_while_its_lock_exists(broker: BullmqBroker, server: Client) -> None:
    await broker.write_epoch(QUEUE, 3)
    await broker.add(QUEUE, [make_job(1), make_job(2), make_job(3, dispatch=5)])
    await broker.exchange(QUEUE, [], 2, TOKEN)
    await server.delete(f"{BASE}j2-1:lock")

    snapshot = await broker.snapshot(QUEUE)

    assert snapshot.present == {dispatch_id(1), dispatch_id(3, 5)}
    assert snapshot.unlocked == {dispatch_id(2)}
    assert snapshot.foreign == frozenset()
    assert snapshot.epoch == 3


async def test_ids_moved_behind_our_back_count_by_whether_bullmq_would_fetch_them(
    broker: BullmqBroker, server: Client
) -> None:
    await server.rpush(f"{BASE}paused", "j1-1", "17")
    await server.zadd(f"{BASE}prioritized", {"j2-1": 1})
    await server.zadd(f"{BASE}delayed", {"j3-1": 1, "repeat:x:1": 2})
    await server.zadd(f"{BASE}waiting-children", {"j4-1": 1})
    await server.rpush(f"{BASE}wait", "j5-1", "some-uuid")

    snapshot = await broker.snapshot(QUEUE)

    assert snapshot.present == {dispatch_id(1), dispatch_id(2), dispatch_id(5)}
    assert snapshot.unlocked == {dispatch_id(3), dispatch_id(4)}
    assert snapshot.foreign == {"17", "repeat:x:1", "some-uuid"}


async def test_a_snapshot_never_misses_a_job_that_is_being_fetched(broker: BullmqBroker) -> None:
    everything = {dispatch_id(number) for number in range(1, 1_501)}
    await broker.add(QUEUE, [make_job(number) for number in range(1, 1_501)])

    async def fetch_all() -> None:
        while await broker.exchange(QUEUE, [], 25, TOKEN):
            pass

    fetching = asyncio.create_task(fetch_all())
    looks = 0
    while not fetching.done():
        snapshot = await broker.snapshot(QUEUE)
        assert snapshot.present == everything
        looks += 1
    await fetching

    assert looks > 3


async def test_a_queue_paused_in_redis_is_reported_and_gives_out_nothing(broker: BullmqBroker, server: Client) -> None:
    await broker.add(QUEUE, [make_job(1)])
    assert await broker.is_paused(QUEUE) is False
    await server.hset(f"{BASE}meta", "paused", 1)

    assert await broker.is_paused(QUEUE) is True
    assert await broker.exchange(QUEUE, [], 5, TOKEN) == []
    assert (await broker.snapshot(QUEUE)).present == {dispatch_id(1)}


async def test_leftover_hashes_are_found_among_jobs_in_every_state(broker: BullmqBroker, server: Client) -> None:
    await run_to_death(broker, 1)
    await broker.add(QUEUE, [make_job(number) for number in range(2, 8)])
    [second, *_] = await broker.exchange(QUEUE, [], 2, TOKEN)
    await broker.exchange(QUEUE, [finish(second)], 0, TOKEN)
    await broker.write_log(QUEUE, dispatch_id(5), "a line")
    await server.lrem(f"{BASE}wait", 0, "j4-1")
    await server.hset(f"{BASE}j99-7", mapping={"ats": 1})
    await server.hset(f"{BASE}somebody-else", mapping={"name": "x"})
    await server.hset("bull:processMails2:j1-1", mapping={"name": "another queue"})

    leftovers = await broker.find_leftovers(QUEUE)
    await broker.discard(QUEUE, leftovers)

    assert leftovers == ["j4-1", "j99-7"]
    assert await broker.find_leftovers(QUEUE) == []
    assert await server.exists(f"{BASE}somebody-else", "bull:processMails2:j1-1") == 2


@pytest.mark.parametrize("name", ["a[b]c", "what?", "star*", "back\\slash"])
async def test_a_queues_name_is_no_pattern(broker: BullmqBroker, server: Client, name: str) -> None:
    await server.hset(f"bull:{name}:j1-1", mapping={"ats": 1})
    await server.hset("bull:aXc:j2-1", mapping={"ats": 1})

    assert await broker.find_leftovers(QueueName(name)) == ["j1-1"]


async def test_the_memory_used_grows_with_what_is_stored(broker: BullmqBroker, server: Client) -> None:
    before = await broker.memory_bytes()
    await server.set("ballast", "x" * 5_000_000)

    assert await broker.memory_bytes() > before + 4_000_000
