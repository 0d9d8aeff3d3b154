"""Debian's PostgreSQL 15 and Redis 7, the oldest of their kind that Tournée promises to run on.

They are started as an operator's servers would be found: on loopback, with passwords, a plain role that owns its
database, no extension preloaded. Each run has its own folder; a service that runs on the machine is left alone.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import redis.asyncio
import redis.exceptions

from tournee.embedded.account import find_account, own_folder
from tournee.kit.child import ChildProcess, Command
from tournee.kit.ports import LOOPBACK, find_free_port

POSTGRESQL_BIN = Path("/usr/lib/postgresql/15/bin")
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PATH": "/usr/bin:/bin"}
_READY_SECONDS = 60.0


class ExternalServersMissing(Exception):
    """They are not installed, and may not be installed by a test."""


@dataclass(frozen=True, slots=True)
class ExternalServers:
    """Where the two are."""

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    kill_redis: Callable[[], Awaitable[None]] = field(repr=False)
    """SIGKILL, and what it kept is gone: Redis without persistence."""
    start_redis: Callable[[], Awaitable[None]] = field(repr=False)
    """Start it again on the same address."""


def find_redis() -> Path | None:
    found = shutil.which("redis-server", path="/usr/bin:/usr/local/bin")
    return Path(found) if found else None


def require_external_servers() -> None:
    """Install what is missing where that is wished for (TOURNEE_TEST_INSTALL=1, as root), else raise."""
    missing = [
        package
        for package, found in (
            ("postgresql-15", (POSTGRESQL_BIN / "postgres").exists()),
            ("redis-server", find_redis()),
        )
        if not found
    ]
    if missing:
        install_missing(missing)


def install_missing(missing: Sequence[str]) -> None:
    """Install Debian's packages where that is wished for, else raise."""
    names = " and ".join(missing)
    if os.environ.get("TOURNEE_TEST_INSTALL") != "1" or os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ExternalServersMissing(f"{names} not installed (TOURNEE_TEST_INSTALL=1 as root on Debian installs them)")
    # Run level 1 keeps the packages' own services from being started.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *missing]):
        done = subprocess.run(
            ["apt-get", "-q", *arguments], env=environment, check=False, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise ExternalServersMissing(f"{names} could not be installed: {done.stderr.strip()[-300:]}")


class ExternalPair:
    """Both servers in `folder`, for the length of `async with`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._account = find_account()
        self._children = AsyncExitStack()
        self._log = folder / "external.log"
        self._redis_port = find_free_port()
        self._redis_password = secrets.token_hex(12)
        self._redis: ChildProcess | None = None

    @property
    def _redis_url(self) -> str:
        return f"redis://:{self._redis_password}@{LOOPBACK}:{self._redis_port}/0"

    async def __aenter__(self) -> ExternalServers:
        try:
            database_url = await self._start_postgresql()
            await self._start_redis()
            return ExternalServers(database_url, self._redis_url, self._kill_redis, self._start_redis)
        except BaseException:
            await self._children.aclose()
            raise

    async def __aexit__(self, *_: object) -> None:
        await self._children.aclose()

    async def _start_postgresql(self) -> str:
        port, admin_password, password = find_free_port(), secrets.token_hex(12), secrets.token_hex(12)
        home = self._folder / "postgresql"
        own_folder(home, self._account)
        password_file = self._folder / "password"
        password_file.write_text(admin_password, encoding="ascii")
        initdb = f"{POSTGRESQL_BIN}/initdb"
        where = ("-D", str(home / "data"))
        encoding = ("--encoding=UTF8", "--locale=C.UTF-8")
        access = ("-U", "postgres", "--auth=scram-sha-256", f"--pwfile={password_file}")
        await self._run([initdb, *where, *encoding, *access, "--no-sync"])
        options = {"listen_addresses": LOOPBACK, "port": port, "unix_socket_directories": "", "fsync": "off"}
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        await self._spawn([f"{POSTGRESQL_BIN}/postgres", *where, *settings], signal.SIGINT)
        admin = await self._connect(f"postgresql://postgres:{admin_password}@{LOOPBACK}:{port}/postgres")
        try:
            await admin.execute(f"CREATE ROLE tournee LOGIN PASSWORD '{password}'")
            await admin.execute("CREATE DATABASE tournee OWNER tournee")
        finally:
            await admin.close()
        return f"postgresql://tournee:{password}@{LOOPBACK}:{port}/tournee"

    async def _kill_redis(self) -> None:
        assert self._redis is not None
        self._redis.send_signal(signal.SIGKILL)
        await self._redis.wait()

    async def _start_redis(self) -> None:
        port, password = self._redis_port, self._redis_password
        home = self._folder / "redis"
        own_folder(home, self._account)
        program = find_redis()
        assert program is not None
        settings = f'bind {LOOPBACK}\nport {port}\nrequirepass {password}\ndir "{home}"\nappendonly no\nsave ""\n'
        self._redis = await self._spawn([str(program), "-"], signal.SIGTERM, settings.encode())
        async with asyncio.timeout(_READY_SECONDS), redis.asyncio.Redis.from_url(self._redis_url) as client:
            while True:
                with suppress(redis.exceptions.ConnectionError):
                    await client.get("any")
                    return
                await asyncio.sleep(0.02)

    async def _connect(self, url: str) -> asyncpg.Connection[asyncpg.Record]:
        async with asyncio.timeout(_READY_SECONDS):
            while True:
                with suppress(OSError, asyncpg.CannotConnectNowError):
                    return await asyncpg.connect(url)
                await asyncio.sleep(0.02)

    async def _run(self, arguments: Sequence[str]) -> None:
        with self._log.open("ab") as output:
            child = ChildProcess.spawn(Command(arguments, self._account, environment=_ENVIRONMENT), output.fileno())
        if await child.wait() != 0:
            raise RuntimeError(f"{arguments[0]} failed: {self._log.read_text(encoding='utf-8')[-500:]}")

    async def _spawn(self, arguments: Sequence[str], stop_signal: int, stdin: bytes = b"") -> ChildProcess:
        command = Command(arguments, self._account, stop_signal, stdin, environment=_ENVIRONMENT)
        with self._log.open("ab") as output:
            child = ChildProcess.spawn(command, output.fileno())
        self._children.push_async_callback(child.stop, [(stop_signal, 5.0)])
        return child
