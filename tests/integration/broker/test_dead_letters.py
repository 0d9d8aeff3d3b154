"""The projection of the ledger's dead jobs into Redis."""

from __future__ import annotations

import json

from tests.support.broker import (
    BASE,
    LETTERS,
    QUEUE,
    TOKEN,
    Client,
    MakeBroker,
    make_dead,
    make_job,
    run_to_death,
)
from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.core.job import QueueName


async def test_each_dead_job_has_one_waiting_entry_the_latest_at_the_head(broker: BullmqBroker, server: Client) -> None:
    dead = [make_dead(2), make_dead(1), make_dead(3, dispatch=4)]

    assert await broker.project_dead(dead, 100) == (3, 0)
    assert await broker.project_dead(dead, 100) == (0, 0)

    assert await server.lrange(f"{LETTERS}wait", 0, -1) == ["d3-4", "d2-1", "d1-1"]
    assert (await server.hgetall(f"{LETTERS}meta"))["opts.maxLenEvents"] == "1000"


async def test_an_entry_says_what_died_where_and_why(broker: BullmqBroker, server: Client) -> None:
    await broker.project_dead([make_dead(7, dispatch=3, trace_context="00-abc")], 100)

    stored = await server.hgetall(f"{LETTERS}d7-3")
    data = json.loads(stored["data"])
    assert stored["name"] == QUEUE
    assert stored["failedReason"] == "ValueError: no JSON"
    assert json.loads(stored["stacktrace"]) == ["Traceback …\nValueError: no JSON"]
    assert stored["atm"] == "3"
    assert data["jobId"] == 7
    assert (data["queue"], data["key"], data["kind"], data["attempts"]) == (QUEUE, "key-7", "analyse-newsletter", 3)
    assert data["payload"] == {"newsletter_id": 7}
    assert data["error"] == "ValueError: no JSON"


async def test_the_bound_keeps_the_latest(broker: BullmqBroker, server: Client) -> None:
    dead = [make_dead(number) for number in range(1, 21)]
    await broker.project_dead(dead[:10], 5)

    assert await broker.project_dead(dead, 5) == (5, 5)

    assert await server.lrange(f"{LETTERS}wait", 0, -1) == [f"d{number}-1" for number in range(20, 15, -1)]
    assert len(await server.keys(f"{LETTERS}d*")) == 5


async def test_a_redriven_job_leaves_the_dead_letters_and_the_failed_set(broker: BullmqBroker, server: Client) -> None:
    await run_to_death(broker, 1, 2)
    await broker.project_dead([make_dead(1), make_dead(2)], 100)

    assert await broker.project_dead([make_dead(2)], 100) == (0, 2)

    assert await server.lrange(f"{LETTERS}wait", 0, -1) == ["d2-1"]
    assert await server.zrange(f"{BASE}failed", 0, -1) == ["j2-1"]
    assert await server.keys("bull:*:*1-1*") == []


async def test_the_failed_set_of_a_queue_that_this_broker_never_met_is_pruned_if_it_is_set(
    broker: BullmqBroker, make_broker: MakeBroker
) -> None:
    await run_to_death(broker, 1)
    other = make_broker(work_queues=(QUEUE, QueueName("indexNews")))

    assert await other.project_dead([], 100) == (0, 1)
    assert (await broker.read_depth(QUEUE)).failed == 0


async def test_an_entry_younger_than_the_grace_stays_in_the_failed_set(
    make_broker: MakeBroker, broker: BullmqBroker
) -> None:
    careful = make_broker(prune_grace_ms=60_000, work_queues=(QUEUE,))
    await run_to_death(broker, 1)

    assert await careful.project_dead([], 100) == (0, 0)
    assert (await broker.read_depth(QUEUE)).failed == 1


async def test_a_job_that_died_again_has_the_entry_of_its_last_dispatch_only(
    broker: BullmqBroker, server: Client
) -> None:
    await broker.project_dead([make_dead(1, dispatch=3)], 100)

    assert await broker.project_dead([make_dead(1, dispatch=6)], 100) == (1, 1)

    assert await server.keys(f"{LETTERS}d*") == [f"{LETTERS}d1-6"]


async def test_a_flush_loses_no_dead_letter(broker: BullmqBroker, server: Client) -> None:
    dead = [make_dead(number) for number in range(1, 4)]
    await broker.project_dead(dead, 100)
    await server.flushall()

    assert await broker.project_dead(dead, 100) == (3, 0)


async def test_what_was_removed_moved_or_emptied_behind_our_back_is_put_right(
    broker: BullmqBroker, server: Client
) -> None:
    dead = [make_dead(number) for number in range(1, 6)]
    await broker.project_dead(dead, 100)
    await server.lrem(f"{LETTERS}wait", 0, "d1-1")
    await server.delete(f"{LETTERS}d2-1")
    await server.lrem(f"{LETTERS}wait", 0, "d3-1")
    await server.lpush(f"{LETTERS}active", "d3-1")
    await server.zadd(f"{LETTERS}delayed", {"d99-1": 1})
    await server.lpush(f"{LETTERS}wait", "5")
    await broker.discard(QueueName("deadLetters"), await broker.find_leftovers(QueueName("deadLetters")))

    await broker.project_dead(dead, 100)

    waiting = await server.lrange(f"{LETTERS}wait", 0, -1)
    assert sorted(waiting) == [f"d{number}-1" for number in range(1, 6)]
    assert await server.exists(*(f"{LETTERS}{raw_id}" for raw_id in waiting)) == 5
    assert not await server.exists(f"{LETTERS}active", f"{LETTERS}delayed")
    assert await broker.project_dead(dead, 100) == (0, 0)


async def test_thousands_of_dead_letters_are_projected(broker: BullmqBroker) -> None:
    dead = [make_dead(number) for number in range(1, 3_001)]

    assert await broker.project_dead(dead, 2_000) == (2_000, 0)
    assert await broker.project_dead(dead[1_500:], 2_000) == (0, 500)
    assert await broker.project_dead([], 2_000) == (0, 1_500)


async def test_jobs_that_wait_or_run_are_not_touched(broker: BullmqBroker) -> None:
    await broker.add(QUEUE, [make_job(1), make_job(2)])
    await broker.exchange(QUEUE, [], 1, TOKEN)

    await broker.project_dead([make_dead(9)], 100)

    depth = await broker.read_depth(QUEUE)
    assert (depth.waiting, depth.active) == (1, 1)
