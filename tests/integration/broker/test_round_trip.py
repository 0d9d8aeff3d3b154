"""A job's way through BullMQ: added, fetched, finished."""

from __future__ import annotations

import json

import pytest

from tests.support.broker import BASE, QUEUE, TOKEN, Client, MakeBroker, dispatch_id, fail, finish, make_job
from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.core.job import Priority
from tournee.engine.ports import Fetched


async def test_a_job_is_added_fetched_once_and_finished(broker: BullmqBroker, server: Client) -> None:
    await broker.add(QUEUE, [make_job(7)])

    [fetched] = await broker.exchange(QUEUE, [], 10, TOKEN)

    assert fetched == Fetched(dispatch_id(7), "j7-1", TOKEN)
    assert await server.get(f"{BASE}j7-1:lock") == TOKEN
    assert await broker.exchange(QUEUE, [finish(fetched)], 10, TOKEN) == []
    depth = await broker.read_depth(QUEUE)
    assert (depth.waiting, depth.active, depth.completed, depth.failed) == (0, 0, 1, 0)
    assert not await server.exists(f"{BASE}j7-1:lock")


async def test_the_hash_shows_what_the_board_needs(broker: BullmqBroker, server: Client) -> None:
    await broker.add(QUEUE, [make_job(7, trace_context="00-abc-def-01")])

    stored = await server.hgetall(f"{BASE}j7-1")

    assert stored["name"] == "analyse-newsletter"
    assert stored["timestamp"] == "1767225600000"
    assert json.loads(stored["opts"])["attempts"] == 3
    assert json.loads(stored["data"]) == {
        "key": "key-7",
        "tenant": "mailbox:1",
        "payload": {"newsletter_id": 7},
        "attempt": 0,
        "trace": "00-abc-def-01",
    }


async def test_a_large_payload_is_not_copied_to_redis(broker: BullmqBroker, server: Client) -> None:
    payload = {"ids": ["é" * 100] * 20}
    await broker.add(QUEUE, [make_job(7, payload=payload)])

    data = json.loads(await server.hget(f"{BASE}j7-1", "data"))

    assert data["payload"] == {
        "truncated": len(json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode())
    }


async def test_jobs_come_in_the_order_of_their_add_and_those_for_the_front_first(broker: BullmqBroker) -> None:
    await broker.add(QUEUE, [make_job(1), make_job(2), make_job(3, priority=Priority.BACKFILL)])
    await broker.add(QUEUE, [make_job(4, front=True)])

    fetched = await broker.exchange(QUEUE, [], 10, TOKEN)

    assert [entry.raw_id for entry in fetched] == ["j4-1", "j1-1", "j2-1", "j3-1"]


async def test_a_repeated_dispatch_shows_attempts_made_and_bounded_stack_traces(
    broker: BullmqBroker, server: Client
) -> None:
    traces = tuple(f"Traceback {number} " + "x" * 5_000 + f" ValueError: {number}" for number in range(7))
    await broker.add(QUEUE, [make_job(7, dispatch=3, attempt=2, earlier_errors=traces)])

    stored = await server.hgetall(f"{BASE}j7-3")

    assert stored["atm"] == "2"
    shown = json.loads(stored["stacktrace"])
    assert [trace.split()[-1] for trace in shown] == ["2", "3", "4", "5", "6"]
    assert all(len(trace.encode()) <= 4_096 for trace in shown)
    [fetched] = await broker.exchange(QUEUE, [], 1, TOKEN)
    await broker.exchange(QUEUE, [finish(fetched)], 0, TOKEN)
    assert await server.hget(f"{BASE}j7-3", "atm") == "3"


async def test_texts_that_no_encoding_carries_are_stored_all_the_same(broker: BullmqBroker, server: Client) -> None:
    broken = "lone \udc80 surrogate \x00 and NUL"
    await broker.add(QUEUE, [make_job(7, key=broken, attempt=1, earlier_errors=(broken,))])
    [fetched] = await broker.exchange(QUEUE, [], 1, TOKEN)
    failure = fail(fetched, failed_reason=broken, stack_trace=[broken])

    await broker.exchange(QUEUE, [failure], 0, TOKEN)

    stored = await server.hgetall(f"{BASE}j7-1")
    assert json.loads(stored["data"])["key"] == broken
    assert stored["failedReason"] == "lone \\udc80 surrogate \x00 and NUL"


async def test_at_most_as_many_jobs_are_fetched_as_were_asked_for(broker: BullmqBroker) -> None:
    await broker.add(QUEUE, [make_job(number) for number in range(1, 31)])

    first = await broker.exchange(QUEUE, [], 12, TOKEN)
    second = await broker.exchange(QUEUE, [finish(entry) for entry in first], 5, TOKEN)
    third = await broker.exchange(QUEUE, [finish(entry) for entry in second[:2]], 7, TOKEN)
    rest = await broker.exchange(QUEUE, [], 100, TOKEN)

    assert [len(first), len(second), len(third), len(rest)] == [12, 5, 7, 6]
    seen = [entry.raw_id for entry in (*first, *second, *third, *rest)]
    assert seen == [f"j{number}-1" for number in range(1, 31)]


async def test_a_whole_window_is_fetched_by_one_call_though_the_queue_was_last_seen_empty(broker: BullmqBroker) -> None:
    assert await broker.exchange(QUEUE, [], 50, TOKEN) == []
    await broker.add(QUEUE, [make_job(number) for number in range(1, 2_501)])

    fetched = await broker.exchange(QUEUE, [], 2_500, TOKEN)

    assert len({entry.raw_id for entry in fetched}) == 2_500


async def test_a_finish_under_another_token_still_leaves_the_next_job_under_ours(
    broker: BullmqBroker, server: Client
) -> None:
    await broker.add(QUEUE, [make_job(1), make_job(2)])
    [first] = await broker.exchange(QUEUE, [], 1, "former token")

    [second] = await broker.exchange(QUEUE, [finish(first)], 1, TOKEN)

    assert second == Fetched(dispatch_id(2), "j2-1", TOKEN)
    assert await server.get(f"{BASE}j2-1:lock") == TOKEN


async def test_a_job_that_is_not_kept_leaves_nothing_behind(broker: BullmqBroker, server: Client) -> None:
    await broker.add(QUEUE, [make_job(7)])
    [fetched] = await broker.exchange(QUEUE, [], 1, TOKEN)
    await broker.write_log(QUEUE, dispatch_id(7), "a line")

    await broker.exchange(QUEUE, [fail(fetched, kept=False, failed_reason="later")], 0, TOKEN)

    assert await server.keys(f"{BASE}j7*") == []
    depth = await broker.read_depth(QUEUE)
    assert (depth.waiting, depth.active, depth.completed, depth.failed) == (0, 0, 0, 0)


async def test_a_dead_job_stays_in_the_failed_set_with_reason_and_stack_trace(
    broker: BullmqBroker, server: Client
) -> None:
    await broker.add(QUEUE, [make_job(7)])
    [fetched] = await broker.exchange(QUEUE, [], 1, TOKEN)
    dead = fail(fetched, failed_reason="no JSON", stack_trace=["first", "second"])

    await broker.exchange(QUEUE, [dead], 0, TOKEN)

    stored = await server.hgetall(f"{BASE}j7-1")
    assert stored["failedReason"] == "no JSON"
    assert json.loads(stored["stacktrace"]) == ["first", "second"]
    assert await server.zrange(f"{BASE}failed", 0, -1) == ["j7-1"]


async def test_the_completed_set_is_bounded_and_holds_the_latest(make_broker: MakeBroker, server: Client) -> None:
    broker = make_broker(keep_completed=5)
    await broker.add(QUEUE, [make_job(number) for number in range(1, 21)])
    fetched = await broker.exchange(QUEUE, [], 20, TOKEN)

    await broker.exchange(QUEUE, [finish(entry) for entry in fetched[:18]], 0, TOKEN)
    await broker.exchange(QUEUE, [finish(entry) for entry in fetched[18:]], 0, TOKEN)

    completed = set(await server.zrange(f"{BASE}completed", 0, -1))
    assert len(completed) == 5
    assert {"j19-1", "j20-1"} <= completed
    assert len(await server.keys(f"{BASE}j*")) == 5


@pytest.mark.parametrize("damage", ["hash", "lock", "stolen", "active", "all"])
async def test_a_refused_finish_is_no_error_and_its_entry_is_cleaned(
    broker: BullmqBroker, server: Client, damage: str
) -> None:
    await broker.add(QUEUE, [make_job(1), make_job(2), make_job(3)])
    first, second = await broker.exchange(QUEUE, [], 2, TOKEN)
    match damage:  # type: ignore[exhaustive-match]
        case "hash":
            await server.delete(f"{BASE}j1-1")
        case "lock":
            await server.delete(f"{BASE}j1-1:lock")
        case "stolen":
            await server.set(f"{BASE}j1-1:lock", "somebody else")
        case "active":
            await server.lrem(f"{BASE}active", 0, "j1-1")
        case "all":
            await server.delete(f"{BASE}j1-1", f"{BASE}j1-1:lock")
            await server.lrem(f"{BASE}active", 0, "j1-1")

    brought = await broker.exchange(QUEUE, [finish(first), finish(second)], 2, TOKEN)

    assert [entry.raw_id for entry in brought] == ["j3-1"]
    assert await server.keys(f"{BASE}j1-1*") == []
    assert await server.lrange(f"{BASE}active", 0, -1) == ["j3-1"]


async def test_an_entry_that_the_engine_did_not_make_is_fetched_as_foreign_and_can_be_discarded(
    broker: BullmqBroker, server: Client
) -> None:
    for raw_id in ("17", "j01-1", "j99999999999999999999-1", f"j{2**63}-1", f"j1-{2**31}"):
        await server.lpush(f"{BASE}wait", raw_id)
    await broker.add(QUEUE, [make_job(1)])

    fetched = await broker.exchange(QUEUE, [], 10, TOKEN)
    foreign = [entry.raw_id for entry in fetched if entry.id is None]
    await broker.discard(QUEUE, foreign)

    assert [entry.raw_id for entry in fetched if entry.id is not None] == ["j1-1"]
    assert len(foreign) == 5
    assert await server.lrange(f"{BASE}active", 0, -1) == ["j1-1"]
    assert not await server.exists(f"{BASE}17", f"{BASE}17:lock")


async def test_an_id_whose_hash_was_lost_is_still_fetched_and_finished(broker: BullmqBroker, server: Client) -> None:
    await broker.add(QUEUE, [make_job(1)])
    await server.delete(f"{BASE}j1-1")

    [fetched] = await broker.exchange(QUEUE, [], 1, TOKEN)
    await broker.exchange(QUEUE, [finish(fetched, kept=False)], 0, TOKEN)

    assert await server.keys(f"{BASE}j1-1*") == []


async def test_a_discarded_entry_is_gone_from_every_list_and_set(broker: BullmqBroker, server: Client) -> None:
    lists = ("wait", "active", "paused")
    sets = ("delayed", "prioritized", "completed", "failed", "waiting-children")
    await broker.add(QUEUE, [make_job(7)])
    for name in lists:
        await server.rpush(BASE + name, "j7-1", "j8-1")
    for name in sets:
        await server.zadd(BASE + name, {"j7-1": 1, "j8-1": 2})
    await server.sadd(f"{BASE}stalled", "j7-1")
    await server.set(f"{BASE}j7-1:lock", "somebody")
    await server.rpush(f"{BASE}j7-1:logs", "a line")

    await broker.discard(QUEUE, ["j7-1"])

    assert await server.keys(f"{BASE}j7-1*") == []
    assert [await server.lrange(BASE + name, 0, -1) for name in lists] == [["j8-1"]] * 3
    assert [await server.zrange(BASE + name, 0, -1) for name in sets] == [["j8-1"]] * 5
    assert not await server.exists(f"{BASE}stalled")


async def test_progress_and_log_lines_reach_the_hash_and_a_missing_job_is_no_error(
    make_broker: MakeBroker, server: Client
) -> None:
    broker = make_broker(keep_log_lines=2)
    await broker.add(QUEUE, [make_job(7)])
    entry = make_job(7).id

    await broker.write_progress(QUEUE, entry, 42.5)
    for line in ("one", "two", "x" * 10_000):
        await broker.write_log(QUEUE, entry, line)
    await broker.write_progress(QUEUE, make_job(8).id, 1.0)
    await broker.write_log(QUEUE, make_job(8).id, "nobody there")

    assert await server.hget(f"{BASE}j7-1", "progress") == "42.5"
    lines = await server.lrange(f"{BASE}j7-1:logs", 0, -1)
    assert lines[0] == "two"
    assert len(lines) == 2
    assert len(lines[1].encode()) <= 4_096
    assert not await server.exists(f"{BASE}j8-1", f"{BASE}j8-1:logs")


async def test_held_locks_are_extended_and_lost_ones_are_named(broker: BullmqBroker, server: Client) -> None:
    await broker.add(QUEUE, [make_job(number) for number in range(1, 5)])
    await broker.exchange(QUEUE, [], 4, TOKEN)
    held = {dispatch_id(number): TOKEN for number in range(1, 5)}
    await server.delete(f"{BASE}j2-1:lock")
    await server.set(f"{BASE}j3-1:lock", "somebody else")

    lost = await broker.extend_locks(QUEUE, held, 90_000)

    assert lost == {dispatch_id(2), dispatch_id(3)}
    assert await server.pttl(f"{BASE}j1-1:lock") > 60_000
    assert await server.pttl(f"{BASE}j4-1:lock") > 60_000
    assert await broker.extend_locks(QUEUE, {}, 90_000) == set()


async def test_more_locks_than_one_script_call_takes_are_extended(broker: BullmqBroker, server: Client) -> None:
    await broker.add(QUEUE, [make_job(number) for number in range(1, 1_501)])
    await broker.exchange(QUEUE, [], 1_500, TOKEN)
    held = {dispatch_id(number): TOKEN for number in range(1, 1_501)}
    await server.delete(f"{BASE}j1500-1:lock")

    lost = await broker.extend_locks(QUEUE, held, 90_000)

    assert lost == {dispatch_id(1_500)}


async def test_calls_with_nothing_to_do_need_no_server(make_broker: MakeBroker) -> None:
    broker = make_broker(url="redis://127.0.0.1:1/0")

    await broker.add(QUEUE, [])
    await broker.discard(QUEUE, [])

    assert await broker.exchange(QUEUE, [], 0, TOKEN) == []
    assert await broker.extend_locks(QUEUE, {}, 1_000) == set()


async def test_a_finish_that_is_told_twice_keeps_its_result(broker: BullmqBroker, server: Client) -> None:
    await broker.add(QUEUE, [make_job(1), make_job(2)])
    first, second = await broker.exchange(QUEUE, [], 2, TOKEN)
    outcomes = [fail(first), finish(second)]
    await broker.exchange(QUEUE, outcomes, 0, TOKEN)

    await broker.exchange(QUEUE, outcomes, 0, TOKEN)

    assert await server.hget(f"{BASE}j1-1", "failedReason") == "no JSON"
    depth = await broker.read_depth(QUEUE)
    assert (depth.active, depth.failed, depth.completed) == (0, 1, 1)
