"""What the broker does when Redis forgets, stalls, refuses or dies in the middle of a call."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from tests.support.broker import (
    BASE,
    QUEUE,
    TOKEN,
    Client,
    MakeBroker,
    dispatch_id,
    finish,
    make_job,
    wait_until,
)
from tests.support.servers import SessionServers
from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.bullmq.commands import pack
from tournee.engine.bullmq.entries import make_entry
from tournee.engine.core.job import DispatchId, QueueName
from tournee.engine.ports import BrokerUnavailable, Fetched

OTHER = QueueName("indexNews")


def set_patience(broker: BullmqBroker, seconds: float) -> None:
    """How long it waits for an answer from now on: what a test prepares may take its time."""
    for channel in (broker._pipelines, broker._renewals, broker._find_lane(QUEUE).blocking):
        channel._timeout_seconds = seconds


def ids(fetched: list[Fetched]) -> list[str]:
    return [entry.raw_id for entry in fetched]


@pytest.fixture
def frozen_valkey(servers: SessionServers, redis_url: str) -> Iterator[SessionServers]:
    """Thaws the server after the test, however it ends."""
    pid = servers.valkey.pid
    assert pid is not None
    yield servers
    os.kill(pid, signal.SIGCONT)


async def test_scripts_flushed_in_the_middle_of_a_pipeline_repeat_only_what_was_refused(
    broker: BullmqBroker, server: Client
) -> None:
    await broker.add(QUEUE, [make_job(number) for number in range(1, 7)])
    await broker.exchange(QUEUE, [], 1, TOKEN)
    fetch = broker._find_lane(QUEUE).commands.fetch(TOKEN)

    replies = await broker._pipeline.run([fetch, fetch, pack("SCRIPT", "FLUSH"), fetch, fetch])

    assert [reply[1] for reply in replies if isinstance(reply, list)] == [b"j2-1", b"j3-1", b"j4-1", b"j5-1"]
    assert await server.lrange(f"{BASE}wait", 0, -1) == ["j6-1"]


async def test_every_call_works_while_scripts_are_flushed_again_and_again(broker: BullmqBroker, server: Client) -> None:
    wanted = {str(dispatch_id(number)) for number in range(1, 2_001)}
    stopping = asyncio.Event()

    async def flush_scripts() -> None:
        while not stopping.is_set():
            await server.script_flush()
            await asyncio.sleep(0.01)

    flushing = asyncio.create_task(flush_scripts())
    try:
        await broker.add(QUEUE, [make_job(number) for number in range(1, 2_001)])
        seen: list[str] = []
        fetched = await broker.exchange(QUEUE, [], 200, TOKEN)
        while fetched:
            seen += ids(fetched)
            fetched = await broker.exchange(QUEUE, [finish(entry, kept=False) for entry in fetched], 200, TOKEN)
    finally:
        stopping.set()
        await flushing

    assert len(seen) == len(wanted)
    assert set(seen) == wanted
    assert await server.keys(f"{BASE}j*") == []


async def test_a_flush_in_the_middle_of_a_bulk_add_leaves_a_missing_epoch_to_be_seen(
    broker: BullmqBroker, server: Client
) -> None:
    await broker.write_epoch(QUEUE, 4)
    await broker.add(QUEUE, [make_job(99)])
    commands = broker._find_lane(QUEUE).commands
    adds = [commands.add(make_entry(make_job(number))) for number in range(1, 5)]

    await broker._pipeline.run_all([*adds[:2], pack("FLUSHALL"), *adds[2:]])

    snapshot = await broker.snapshot(QUEUE)
    assert snapshot.epoch is None
    assert snapshot.present == {dispatch_id(3), dispatch_id(4)}
    assert (await broker.read_depth(QUEUE)).epoch is None


async def test_jobs_held_over_a_flush_are_finished_without_an_error_and_leave_nothing(
    broker: BullmqBroker, server: Client
) -> None:
    await broker.add(QUEUE, [make_job(number) for number in range(1, 11)])
    held = await broker.exchange(QUEUE, [], 10, TOKEN)
    await server.flushall()
    await server.script_flush()

    assert await broker.exchange(QUEUE, [finish(entry) for entry in held], 5, TOKEN) == []

    assert await broker.extend_locks(QUEUE, {dispatch_id(1): TOKEN}, 1_000) == {dispatch_id(1)}
    assert await server.keys(f"{BASE}j*") == []


async def test_a_wait_ends_when_a_job_is_added_and_when_its_time_is_up(broker: BullmqBroker, server: Client) -> None:
    assert await broker.wait_for_jobs(QUEUE, 0.05) is False
    waiting = asyncio.create_task(broker.wait_for_jobs(QUEUE, 600))
    await wait_until(lambda: _is_blocked(server))

    await broker.add(QUEUE, [make_job(1)])

    async with asyncio.timeout(60):
        assert await waiting is True
    assert await broker.wait_for_jobs(QUEUE, 0) is False


async def test_a_cancelled_wait_leaves_a_usable_connection_and_none_blocked(
    broker: BullmqBroker, server: Client
) -> None:
    for _ in range(3):
        waiting = asyncio.create_task(broker.wait_for_jobs(QUEUE, 30))
        await wait_until(lambda: _is_blocked(server))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await wait_until(lambda: _is_unblocked(server))

    await broker.add(QUEUE, [make_job(1)])

    assert await broker.wait_for_jobs(QUEUE, 5) is True
    assert ids(await broker.exchange(QUEUE, [], 5, TOKEN)) == ["j1-1"]


async def test_a_call_cancelled_before_its_answer_never_hands_that_answer_to_the_next_one(
    make_broker: MakeBroker, frozen_valkey: SessionServers
) -> None:
    broker = make_broker()
    await broker.add(QUEUE, [make_job(number) for number in range(1, 21)])
    await broker.read_depth(QUEUE)
    assert frozen_valkey.valkey.pid is not None
    os.kill(frozen_valkey.valkey.pid, signal.SIGSTOP)
    calls = [
        asyncio.create_task(broker.exchange(QUEUE, [], 10, TOKEN)),
        asyncio.create_task(broker.read_depth(QUEUE)),
        asyncio.create_task(broker.extend_locks(QUEUE, {dispatch_id(1): TOKEN}, 1_000)),
    ]
    await asyncio.sleep(0.05)
    for call in calls:
        call.cancel()
    ended = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(end) for end in ended] == [asyncio.CancelledError] * 3
    os.kill(frozen_valkey.valkey.pid, signal.SIGCONT)

    depths = [await broker.read_depth(QUEUE) for _ in range(3)]
    fetched = await broker.exchange(QUEUE, [], 20, TOKEN)
    lost = await broker.extend_locks(QUEUE, {dispatch_id(99): TOKEN}, 1_000)

    assert all(depth.waiting + depth.active == 20 and depth.epoch is None for depth in depths)
    assert all(entry.id is not None for entry in fetched)
    assert lost == {dispatch_id(99)}
    assert len((await broker.snapshot(QUEUE)).present) == 20


async def test_a_killed_server_is_told_at_once_and_its_return_needs_no_new_broker(
    make_broker: MakeBroker, servers: SessionServers
) -> None:
    broker = make_broker()
    await broker.add(QUEUE, [make_job(1)])
    await broker.exchange(QUEUE, [], 1, TOKEN)
    waiting = asyncio.create_task(broker.wait_for_jobs(OTHER, 600))
    renewing = await broker.extend_locks(QUEUE, {dispatch_id(1): TOKEN}, 30_000)
    assert renewing == set()
    await asyncio.sleep(0.05)

    await servers.valkey.kill()

    # Some of them would wait for ten minutes, were they not told.
    with pytest.raises(BrokerUnavailable):
        await waiting
    for call in (
        broker.add(QUEUE, [make_job(2)]),
        broker.exchange(QUEUE, [], 1, TOKEN),
        broker.extend_locks(QUEUE, {dispatch_id(1): TOKEN}, 30_000),
        broker.wait_for_jobs(QUEUE, 600),
        broker.read_depth(QUEUE),
        broker.check(),
    ):
        with pytest.raises(BrokerUnavailable):
            async with asyncio.timeout(60):
                await call

    await servers.valkey.start()
    back = make_broker(url=servers.valkey.url)
    await back.add(QUEUE, [make_job(3)])
    if servers.valkey.url == broker._settings.redis_url:
        await broker.add(QUEUE, [make_job(4)])


async def test_connections_that_died_while_idle_are_replaced_unseen(broker: BullmqBroker, server: Client) -> None:
    await broker.add(QUEUE, [make_job(1)])
    await broker.extend_locks(QUEUE, {dispatch_id(1): TOKEN}, 60_000)
    await broker.wait_for_jobs(QUEUE, 0.01)

    await server.client_kill_filter(_type="normal", skipme=True)
    await asyncio.sleep(0.02)

    assert ids(await broker.exchange(QUEUE, [], 5, TOKEN)) == ["j1-1"]
    assert await broker.extend_locks(QUEUE, {dispatch_id(1): TOKEN}, 1_000) == set()
    await broker.wait_for_jobs(QUEUE, 0.01)


async def test_a_server_that_stalls_is_told_when_the_deadline_passes(
    make_broker: MakeBroker, frozen_valkey: SessionServers
) -> None:
    broker = make_broker()
    await broker.add(QUEUE, [make_job(1)])
    await broker.wait_for_jobs(QUEUE, 0.01)
    set_patience(broker, 0.2)
    assert frozen_valkey.valkey.pid is not None
    os.kill(frozen_valkey.valkey.pid, signal.SIGSTOP)

    for call in (
        broker.add(QUEUE, [make_job(2)]),
        broker.exchange(QUEUE, [], 5, TOKEN),
        broker.wait_for_jobs(QUEUE, 0.1),
        broker.extend_locks(QUEUE, {dispatch_id(1): TOKEN}, 1_000),
    ):
        with pytest.raises(BrokerUnavailable, match="did not answer in time"):
            async with asyncio.timeout(60):
                await call


async def test_a_lost_answer_to_fetches_fetches_nothing_twice(
    make_broker: MakeBroker, frozen_valkey: SessionServers, server: Client
) -> None:
    broker = make_broker()
    await broker.add(QUEUE, [make_job(number) for number in range(1, 21)])
    await broker.exchange(QUEUE, [], 1, TOKEN)
    set_patience(broker, 0.3)
    pid = frozen_valkey.valkey.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)

    with pytest.raises(BrokerUnavailable):
        await broker.exchange(QUEUE, [], 4, TOKEN)
    os.kill(pid, signal.SIGCONT)
    set_patience(broker, 60.0)

    rest = await broker.exchange(QUEUE, [], 20, TOKEN)
    active = await server.lrange(f"{BASE}active", 0, -1)
    assert len(rest) in (15, 19), "the fetches of the lost call were made once or not at all"
    assert len(active) == 20


async def test_out_of_memory_refuses_adds_but_lets_held_jobs_finish(broker: BullmqBroker, server: Client) -> None:
    await broker.add(QUEUE, [make_job(1), make_job(2)])
    held = await broker.exchange(QUEUE, [], 1, TOKEN)
    before = (await server.config_get("maxmemory"))["maxmemory"]
    await server.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(BrokerUnavailable, match="out of memory"):
            await broker.add(QUEUE, [make_job(3)])
        with pytest.raises(BrokerUnavailable, match="out of memory"):
            await broker.exchange(QUEUE, [], 1, TOKEN)
        await broker.exchange(QUEUE, [finish(entry, kept=False) for entry in held], 0, TOKEN)
    finally:
        await server.config_set("maxmemory", before)

    assert await server.keys(f"{BASE}j1-1*") == []
    assert ids(await broker.exchange(QUEUE, [], 5, TOKEN)) == ["j2-1"]


async def test_what_was_fetched_is_handed_out_though_the_rest_of_the_call_was_refused(
    broker: BullmqBroker, server: Client
) -> None:
    await broker.add(QUEUE, [make_job(1), make_job(2)])
    [first] = await broker.exchange(QUEUE, [], 1, TOKEN)
    await server.delete(f"{BASE}completed")
    await server.set(f"{BASE}completed", "not a set")

    fetched = await broker.exchange(QUEUE, [finish(first)], 4, TOKEN)

    assert ids(fetched) == ["j2-1"]


async def test_a_replica_and_a_server_that_can_not_save_are_named(broker: BullmqBroker, server: Client) -> None:
    await broker.add(QUEUE, [make_job(1)])
    await server.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(BrokerUnavailable, match="read-only replica"):
            await broker.add(QUEUE, [make_job(2)])
        with pytest.raises(BrokerUnavailable):
            await broker.exchange(QUEUE, [], 1, TOKEN)
    finally:
        await server.replicaof("NO", "ONE")


async def test_a_closed_broker_refuses_calls_and_ends_those_under_way(make_broker: MakeBroker, server: Client) -> None:
    broker = make_broker()
    waiting = asyncio.create_task(broker.wait_for_jobs(QUEUE, 30))
    await wait_until(lambda: _is_blocked(server))

    await broker.close()

    with pytest.raises(BrokerUnavailable):
        await waiting
    with pytest.raises(BrokerUnavailable, match="closed"):
        await broker.read_depth(QUEUE)
    with pytest.raises(BrokerUnavailable, match="closed"):
        await broker.wait_for_jobs(OTHER, 1)
    await wait_until(lambda: _is_unblocked(server))


async def test_many_calls_at_once_wait_for_a_connection_instead_of_failing(broker: BullmqBroker) -> None:
    await broker.add(QUEUE, [make_job(number) for number in range(1, 101)])

    fetched = await asyncio.gather(*(broker.exchange(QUEUE, [], 1, TOKEN) for _ in range(100)))

    assert {entry.id for entries in fetched for entry in entries} == set(_dispatches(100))


def _dispatches(count: int) -> list[DispatchId]:
    return [dispatch_id(number) for number in range(1, count + 1)]


async def _is_blocked(server: Client) -> bool:
    return bool((await server.info("clients"))["blocked_clients"])


async def _is_unblocked(server: Client) -> bool:
    return not await _is_blocked(server)
