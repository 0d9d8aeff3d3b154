"""Homes that are shared, closed, half-made, old or damaged."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis.asyncio

from tests.support.folders import open_folder
from tests.support.launcher import run_launcher
from tournee.embedded import EmbeddedServers, HomeInUse, HomeNotAccessible, ServersConfig, ServerStartFailed
from tournee.embedded.account import find_account, find_closed_path
from tournee.embedded.binaries import Wheel, find_postgresql, find_valkey
from tournee.embedded.home import Home
from tournee.kit import ports
from tournee.kit.errors import SetupError

FAST = ServersConfig(durable=False)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run as another user")
as_user = pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")


async def fetch(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_two_homes_run_side_by_side(home: Path) -> None:
    first, second = EmbeddedServers(home / "first", FAST), EmbeddedServers(home / "second", FAST)
    try:
        addresses = await asyncio.gather(first.start(), second.start())
        used = [server.port for pair in (first, second) for server in (pair.postgresql, pair.valkey)]
        assert len(set(used)) == 4
        for one in addresses:
            assert await fetch(one.database_url, "SELECT 1") == 1
    finally:
        await asyncio.gather(first.stop(), second.stop())


async def test_a_port_snatched_before_the_server_binds_it_is_left_to_its_owner(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_free_port = ports.find_free_port
    with socket.create_server((ports.LOOPBACK, find_free_port())) as snatched:
        taken: int = snatched.getsockname()[1]
        answers = iter([taken, taken])
        monkeypatch.setattr(ports, "find_free_port", lambda preferred=None: next(answers, None) or find_free_port())
        async with EmbeddedServers(home, FAST) as servers:
            assert taken not in (servers.postgresql.port, servers.valkey.port)
            assert await fetch(servers.addresses.database_url, "SELECT 1") == 1


async def test_a_running_stack_keeps_its_port_and_says_who_has_it_when_it_is_lost(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tournee.embedded.server._RETRY_SECONDS", 0.3)
    async with EmbeddedServers(home, FAST) as servers:
        before = servers.addresses
        await servers.valkey.stop()
        stranger = socket.create_server((ports.LOOPBACK, servers.valkey.port))
        with stranger, pytest.raises(ServerStartFailed, match=f"port {servers.valkey.port} of Valkey was taken"):
            await servers.valkey.start()
        await servers.valkey.start()
        assert servers.addresses == before


async def test_a_second_launcher_on_one_home_is_refused_by_name(home: Path) -> None:
    with run_launcher(home) as launcher:
        await asyncio.to_thread(launcher.wait_started)
        with pytest.raises(HomeInUse, match=f"run by process {launcher.process.pid}"):
            await EmbeddedServers(home).start()
        assert launcher.process.poll() is None


@as_root
async def test_a_home_closed_to_the_servers_user_is_refused_and_left_as_it_is(home: Path) -> None:
    closed = home / "closed"
    closed.mkdir()
    closed.chmod(0o700)
    with pytest.raises(HomeNotAccessible, match="closed") as refused:
        await EmbeddedServers(closed / "inner").start()
    assert "TOURNEE_HOME" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@as_user
async def test_a_home_that_cannot_be_written_is_refused(home: Path) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o500)
    with pytest.raises(HomeNotAccessible, match="can't be written"):
        await EmbeddedServers(closed / "inner").start()


@as_root
async def test_no_mode_of_a_folder_that_was_there_is_changed(home: Path) -> None:
    outer, inner = home / "outer", home / "outer" / "home"
    inner.mkdir(parents=True)
    outer.chmod(0o751)
    inner.chmod(0o715)
    async with EmbeddedServers(inner, FAST):
        assert stat.S_IMODE(outer.stat().st_mode) == 0o751
        assert stat.S_IMODE(inner.stat().st_mode) == 0o715


async def test_a_file_in_the_place_of_the_home_is_refused(home: Path) -> None:
    (home / "taken").touch()
    for path in (home / "taken", home / "taken" / "inner"):
        with pytest.raises(SetupError, match="is a file where a folder is needed"):
            await EmbeddedServers(path).start()


async def test_secrets_are_for_the_launchers_user_alone(home: Path) -> None:
    async with EmbeddedServers(home, FAST):
        for path in (home / "run" / "postgresql.json", home / "run" / "valkey.json"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert path.stat().st_uid == os.geteuid()
        for folder in ("run", "logs", "postgresql", "valkey"):
            assert stat.S_IMODE((home / folder).stat().st_mode) == 0o700


async def test_a_stale_pid_file_that_names_a_living_stranger_stops_nothing(home: Path) -> None:
    async with EmbeddedServers(home, FAST) as servers:
        pid_file = home / "postgresql" / "data" / "postmaster.pid"
        content = pid_file.read_text(encoding="ascii").replace(str(servers.postgresql.pid), str(os.getpid()))
        await servers.postgresql.kill()
    pid_file.write_text(content, encoding="ascii")
    async with EmbeddedServers(home, FAST) as servers:
        assert await fetch(servers.addresses.database_url, "SELECT 1") == 1


async def test_lost_passwords_are_set_anew_and_the_data_stays(home: Path) -> None:
    async with EmbeddedServers(home, FAST) as servers:
        before = servers.addresses.database_url
        await fetch(before, "CREATE TABLE kept AS SELECT 42 AS answer")
    shutil.rmtree(home / "run")
    async with EmbeddedServers(home, FAST) as servers:
        after = servers.addresses.database_url
        assert after != before
        assert await fetch(after, "SELECT answer FROM kept") == 42
        assert await fetch(servers.postgresql.admin_url, "SHOW is_superuser") == "on"


async def test_data_of_another_major_version_is_refused_with_what_to_do(home: Path) -> None:
    async with EmbeddedServers(home, FAST):
        pass
    (home / "postgresql" / "data" / "PG_VERSION").write_text("17\n", encoding="ascii")
    with pytest.raises(SetupError, match="was written by PostgreSQL 17, this is PostgreSQL 18: dump it"):
        await EmbeddedServers(home, FAST).start()


async def test_an_unreadable_append_only_file_is_set_aside(home: Path) -> None:
    async with EmbeddedServers(home, FAST) as servers, redis.asyncio.Redis.from_url(servers.valkey.url) as client:
        await client.set("any", "1")
    (written,) = (home / "valkey" / "appendonlydir").glob("*.incr.aof")
    written.write_bytes(b"*3\r\n$3\r\nSET\r\nnonsense" * 20)
    async with EmbeddedServers(home, FAST) as servers, redis.asyncio.Redis.from_url(servers.valkey.url) as client:
        assert await client.dbsize() == 0
    assert (home / "valkey" / "appendonlydir.unreadable").is_dir()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=711", "tmpfs", folder],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small disk can't be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def grow_disk(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=500m", folder], check=True)


def read_program(pid: int | None) -> Path:
    return Path(f"/proc/{pid}/exe").readlink()


@as_root
@pytest.mark.parametrize("megabytes", [1, 20])
async def test_a_full_disk_is_told_in_one_line_and_the_home_starts_once_there_is_room(
    home: Path, megabytes: int
) -> None:
    with small_disk(home, megabytes):
        with pytest.raises(SetupError, match="full") as refused:
            await EmbeddedServers(home, FAST).start()
        assert "\n" not in str(refused.value)
        grow_disk(home)
        async with EmbeddedServers(home, FAST) as servers:
            assert await fetch(servers.addresses.database_url, "SELECT 1") == 1


@as_root
async def test_data_that_another_user_owned_changes_hands(home: Path) -> None:
    async with EmbeddedServers(home, FAST):
        pass
    for path in (home / "postgresql", *(home / "postgresql").rglob("*")):
        os.chown(path, 12345, 12345)
    async with EmbeddedServers(home, FAST) as servers:
        assert await fetch(servers.addresses.database_url, "SELECT 1") == 1


def close_wheel(wheel: Wheel, folder: Path) -> Wheel:
    """Copy a wheel's files to where only root may look."""
    base = folder / wheel.name
    for part in wheel.parts:
        (base / part).parent.mkdir(parents=True, exist_ok=True)
        if (wheel.base / part).is_dir():
            shutil.copytree(wheel.base / part, base / part)
        else:
            shutil.copy2(wheel.base / part, base / part)
    folder.chmod(0o700)
    return replace(wheel, base=base)


@as_root
async def test_binaries_in_a_closed_environment_are_copied_once_by_version(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_folder("tournee-closed") as closed:
        postgresql, valkey = close_wheel(find_postgresql(), closed), close_wheel(find_valkey(), closed)
        monkeypatch.setattr("tournee.embedded.postgresql.find_postgresql", lambda: postgresql)
        monkeypatch.setattr("tournee.embedded.valkey.find_valkey", lambda: valkey)
        outdated = home / "servers" / "postgresql-18.1.0"
        outdated.mkdir(parents=True)
        for _ in range(2):
            async with EmbeddedServers(home, FAST) as servers:
                program = read_program(servers.postgresql.pid)
                assert program.is_relative_to(home / "servers" / f"postgresql-{postgresql.version}")
                assert await fetch(servers.addresses.database_url, "SELECT 1") == 1
    assert not outdated.exists()


@as_root
def test_the_first_closed_folder_of_a_path_is_named(home: Path) -> None:
    (home / "open" / "closed" / "inner").mkdir(parents=True)
    (home / "open" / "closed").chmod(0o700)
    opened = Home.open(home)
    try:
        assert find_closed_path([home / "open"], opened.account) is None
        assert find_closed_path([home / "open" / "closed" / "inner"], opened.account) == home / "open" / "closed"
    finally:
        opened.close()


def can_import(python: str, user: int, environment: dict[str, str]) -> bool:
    arguments = [python, "-c", "import tournee.embedded"]
    tried = subprocess.run(arguments, user=user, cwd="/", env=environment, check=False, capture_output=True)
    return tried.returncode == 0


@as_root
async def test_an_ordinary_user_needs_nothing_of_root() -> None:
    python = shutil.which(f"python{sys.version_info.major}.{sys.version_info.minor}", path="/usr/bin")
    if python is None:
        pytest.skip("there is no Python of this version that every user may run")
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PATH": "/usr/bin:/bin"}
    nobody = find_account()
    assert nobody is not None
    if not can_import(python, nobody.uid, environment):
        pytest.skip("the environment is closed to ordinary users")
    with open_folder("tournee ordinary") as folder:
        os.chown(folder, nobody.uid, nobody.gid)
        with run_launcher(folder / "home", python, nobody.uid, environment) as launcher:
            database_url, _ = await asyncio.to_thread(launcher.wait_started)
            assert await fetch(database_url, "SELECT 1") == 1
            assert {process.username() for process in launcher.list_started()} == {nobody.name}
            assert stat.S_IMODE((folder / "home").stat().st_mode) == 0o700
            started = launcher.list_started()
            launcher.process.kill()
            await asyncio.to_thread(psutil.wait_procs, started, 10)
