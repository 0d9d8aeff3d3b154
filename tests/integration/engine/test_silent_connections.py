"""A connection to PostgreSQL on which no answer comes any more, and no end either."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any, cast
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.support.engine import Bench, Free, close_bench, open_bench
from tests.support.proxy import PostgresqlSpotter, Proxy, Trick
from tests.support.servers import SessionServers
from tournee.db.pool import PoolSettings, open_pool
from tournee.engine.client import LedgerUnavailable
from tournee.engine.postgres.session import Session


@pytest.fixture
async def proxy(servers: SessionServers) -> AsyncIterator[Proxy]:
    """Between the engine and PostgreSQL."""
    fragments = {"claim": b"SET state = 'running'", "complete": b"SET state = 'completed'"}
    proxy = Proxy(servers.postgresql.port, lambda: PostgresqlSpotter(fragments))
    await proxy.start()
    yield proxy
    await proxy.stop()


async def test_a_heartbeat_that_hangs_does_not_take_the_next_ones_along(
    database_url: str, redis_url: str, proxy: Proxy
) -> None:
    through = database_url.replace(f":{urlsplit(database_url).port}/", f":{proxy.port}/")
    bench, direct = await open_bench(through, redis_url), await asyncpg.connect(database_url)
    try:
        worker = await bench.add_worker(queues=("free",))

        # Whoever meets the silence never hears again on that connection; new connections are served.
        proxy.fall_silent()
        await asyncio.sleep(0.3)
        proxy.heal()
        beat = "SELECT beat FROM engine.workers WHERE id = $1"
        async with asyncio.timeout(60):
            before = await direct.fetchval(beat, worker.id)
            while await direct.fetchval(beat, worker.id) == before:  # noqa: ASYNC110 - the ledger tells nobody
                await asyncio.sleep(0.05)
    finally:
        await direct.close()
        await close_bench(bench)


async def test_a_statement_that_is_not_answered_in_time_is_an_outage_and_a_time_out_of_the_callers_own_is_not(
    database_url: str,
) -> None:
    pool = await open_pool(PoolSettings(database_url, min_size=1, command_timeout_seconds=2.0))
    session = Session(pool)
    try:
        with pytest.raises(LedgerUnavailable):
            async with session.transaction() as connection:
                await connection.execute("SELECT pg_sleep(20)")
        with pytest.raises(TimeoutError):
            async with session.transaction():
                raise TimeoutError
        assert await session.fetch_value("SELECT 1") == 1
    finally:
        pool.terminate()


async def test_a_statement_that_was_given_up_does_not_run_on_with_the_locks_of_its_transaction(
    database_url: str,
) -> None:
    pool = await open_pool(PoolSettings(database_url, min_size=1))
    session = Session(pool)
    runs = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'"

    async def wait_until_running(count: int) -> None:
        async with asyncio.timeout(50):
            while await session.fetch_value(runs) != count:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.05)

    async def stand_still() -> None:
        async with session.transaction() as connection:
            await connection.execute("SELECT pg_sleep(60)")

    given_up = asyncio.create_task(stand_still())
    try:
        await wait_until_running(1)
        given_up.cancel()
        await asyncio.wait({given_up})

        await wait_until_running(0)
    finally:
        pool.terminate()


@pytest.fixture
async def benches(database_url: str, redis_url: str, proxy: Proxy) -> AsyncIterator[tuple[Bench, Bench]]:
    """One through the proxy, whose short statements may take half a second, and one beside it."""
    through = database_url.replace(f":{urlsplit(database_url).port}/", f":{proxy.port}/")
    bench, direct = await open_bench(through, redis_url), await open_bench(database_url, redis_url)
    bench.engine.store.session.patience.prompt_seconds = 0.5
    yield bench, direct
    await close_bench(bench)
    await close_bench(direct)


async def test_a_peer_that_is_silent_does_not_hold_relay_and_claims_until_a_command_times_out(
    benches: tuple[Bench, Bench], proxy: Proxy
) -> None:
    bench, direct = benches
    await bench.start()
    await direct.enqueue_work(20)
    await direct.run_to_rest(40)

    proxy.fall_silent()
    await direct.enqueue_work(20, first=20)
    await asyncio.sleep(0.3)
    proxy.heal()

    # Less than a command's half minute, though relay and heartbeat sit on connections that stay mute.
    await direct.run_to_rest(20)
    assert sorted(await direct.read_effects(), key=int) == [str(n) for n in range(40)]
    assert await direct.pool.fetchval("SELECT max(attempt) FROM engine.jobs") == 0


@pytest.mark.parametrize("trick", [Trick.HOLD_REQUEST, Trick.HOLD_ANSWER])
@pytest.mark.parametrize("request_name", ["claim", "complete"])
async def test_what_was_given_up_and_is_executed_all_the_same_runs_nothing_twice(
    benches: tuple[Bench, Bench], proxy: Proxy, request_name: str, trick: Trick
) -> None:
    bench, direct = benches
    trap = proxy.set_trap(request_name, trick, seconds=1.5)
    await bench.start()
    if request_name == "claim":
        await direct.enqueue_work(4)
    else:
        await direct.enqueue(*(Free(n=n) for n in range(4)))
    await direct.run_to_rest(40)

    assert trap.sprung.is_set()
    rows = await direct.pool.fetch("SELECT attempt, crashes, outages, state::text FROM engine.jobs")
    assert {tuple(row) for row in rows} == {(0, 0, 0, "completed")}
    if request_name == "claim":
        assert sorted(await direct.read_effects()) == ["0", "1", "2", "3"]


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this kernel has no such bound")
async def test_a_host_that_is_gone_is_given_up_by_the_kernel_and_not_only_when_a_command_times_out(
    database_url: str,
) -> None:
    pool = await open_pool(PoolSettings(database_url, min_size=1, tcp_user_timeout_seconds=2.5))
    try:
        async with pool.acquire() as connection:
            kept = cast("Any", connection)._transport.get_extra_info("socket")

            assert kept.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 2_500
            # Asked for a sign of life also while it only waits for an answer.
            assert kept.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert kept.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 1
    finally:
        pool.terminate()
