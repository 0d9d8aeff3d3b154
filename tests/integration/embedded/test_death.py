"""Servers die, launchers die: nothing is left behind, nothing is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis.asyncio

from tests.support.launcher import run_launcher
from tests.support.waiting import wait_until
from tournee.embedded import EmbeddedServers, Server, ServersConfig
from tournee.kit.child import ChildProcess, Command

GONE_SECONDS = 60.0
FAST = ServersConfig(durable=False)


def read_state(server: Server) -> tuple[bool, bool]:
    return server.is_running, server.died


async def wait_gone(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return those that are still there when the time is over."""
    _, left = await asyncio.to_thread(psutil.wait_procs, processes, GONE_SECONDS)
    return [process for process in left if process.status() != psutil.STATUS_ZOMBIE]


async def kill_and_recover(servers: EmbeddedServers, victim: Server) -> None:
    """SIGKILL a server, and do as the supervisor does."""
    assert victim.pid is not None
    os.kill(victim.pid, signal.SIGKILL)
    died = await servers.wait_died()
    assert died is victim
    await died.start()


async def test_a_killed_postgresql_comes_back_on_its_url_with_what_was_committed(home: Path) -> None:
    async with EmbeddedServers(home, FAST) as servers:
        before = servers.addresses
        connection = await asyncpg.connect(before.database_url)
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")

        for _ in range(3):
            await kill_and_recover(servers, servers.postgresql)

        connection.terminate()
        assert servers.addresses == before
        again = await asyncpg.connect(before.database_url)
        assert await again.fetchval("SELECT answer FROM kept") == 42
        await again.close()


async def test_a_killed_valkey_comes_back_on_its_url_with_what_it_answered(home: Path) -> None:
    async with EmbeddedServers(home, FAST) as servers:
        before = servers.addresses
        async with redis.asyncio.Redis.from_url(before.redis_url) as client:
            await client.set("kept", "42")

        for _ in range(3):
            await kill_and_recover(servers, servers.valkey)

        assert servers.addresses == before
        async with redis.asyncio.Redis.from_url(before.redis_url) as client:
            assert await client.get("kept") == b"42"


async def test_a_stop_or_restart_that_was_asked_for_is_no_death(home: Path) -> None:
    async with EmbeddedServers(home, FAST) as servers:
        watcher = asyncio.create_task(servers.wait_died())
        for server in (servers.postgresql, servers.valkey):
            old_pid = server.pid
            await server.restart()
            assert server.pid != old_pid
            assert read_state(server) == (True, False)
            await server.stop()
            assert read_state(server) == (False, False)
            await server.start()
        assert not watcher.done()
        await servers.valkey.kill()
        assert await asyncio.wait_for(watcher, GONE_SECONDS) is servers.valkey


async def test_a_killed_launcher_takes_its_servers_along_and_the_next_finds_all(home: Path) -> None:
    with run_launcher(home) as launcher:
        database_url, _ = await asyncio.to_thread(launcher.wait_started)
        connection = await asyncpg.connect(database_url)
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        started = launcher.list_started()
        assert {"postgres", "valkey-server"} <= {process.name() for process in started}
        launcher.process.send_signal(signal.SIGKILL)
        assert await wait_gone(started) == []
        connection.terminate()

    async with EmbeddedServers(home) as servers:
        assert servers.addresses.database_url == database_url
        connection = await asyncpg.connect(database_url)
        assert await connection.fetchval("SELECT answer FROM kept") == 42
        await connection.close()


async def test_a_new_launcher_may_start_at_once_after_the_old_one_was_killed(home: Path) -> None:
    with run_launcher(home) as launcher:
        await asyncio.to_thread(launcher.wait_started)
        old = launcher.list_started()
        launcher.process.kill()
        launcher.process.wait()
        async with EmbeddedServers(home) as servers:
            connection = await asyncpg.connect(servers.addresses.database_url)
            await connection.close()
            assert await wait_gone(old) == []


@pytest.mark.parametrize(
    "milestone", ["postgresql", "postgresql/data.new/PG_VERSION", "postgresql/data/postmaster.pid"]
)
async def test_a_launcher_killed_during_the_first_start_leaves_a_home_that_starts(home: Path, milestone: str) -> None:
    with run_launcher(home) as launcher:
        await wait_until((home / milestone).exists)
        started = launcher.list_started()
        launcher.process.kill()
        launcher.process.wait()
        assert await wait_gone(started) == []

    async with EmbeddedServers(home, FAST) as servers:
        connection = await asyncpg.connect(servers.addresses.database_url)
        assert await connection.fetchval("SELECT current_database()") == "tournee"
        await connection.close()
        assert not (home / "postgresql" / "data.new").exists()


async def test_a_cancelled_start_leaves_no_process_and_no_lock(home: Path) -> None:
    me = psutil.Process()
    before = {process.pid for process in me.children(recursive=True)}
    starting = asyncio.create_task(EmbeddedServers(home, FAST).start())
    await wait_until((home / "valkey").exists)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    started = [process for process in me.children(recursive=True) if process.pid not in before]
    assert await wait_gone(started) == []
    async with EmbeddedServers(home, FAST) as servers:
        assert servers.postgresql.pid is not None


async def test_a_server_that_ignores_its_stop_signal_is_killed_in_bounded_time(tmp_path: Path) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    output = tmp_path / "output"
    with output.open("wb") as file:
        child = ChildProcess.spawn(Command([sys.executable, "-c", deaf]), file.fileno())
    await wait_until(lambda: output.read_text(encoding="ascii") == "deaf\n")
    async with asyncio.timeout(GONE_SECONDS):
        assert await child.stop([(signal.SIGTERM, 0.2)]) == -signal.SIGKILL


async def test_a_child_may_not_be_started_from_a_thread_that_can_end_before_it() -> None:
    with pytest.raises(RuntimeError, match="main thread"):
        await asyncio.to_thread(ChildProcess.spawn, Command(["/bin/true"]), 1)
