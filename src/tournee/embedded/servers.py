"""Both servers of a home as one: what the command line starts where no URL is set."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tournee.embedded.home import Home
from tournee.embedded.postgresql import PostgresqlServer
from tournee.embedded.server import Server
from tournee.embedded.valkey import ValkeyServer

_WATCH_SECONDS = 0.1
_TRIM_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the servers are, passwords included: not for logs, and so not in the repr."""

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServersConfig:
    """What can be chosen about the servers."""

    durable: bool = True
    """False: no fsync. Still survives every death of a process, but not of the machine; for tests."""
    postgresql_settings: Mapping[str, str] = field(default_factory=dict)
    """Settings of postgresql.conf, over ours."""
    valkey_max_memory_mb: int = 1024


class EmbeddedServers:
    """PostgreSQL and Valkey of one home, for the life of one launcher.

    Start it from the main thread, in the process that is to keep the servers: they end with it, however it ends.
    While it holds a home, no other can (`HomeInUse`). The supervisor's loop is

        died = await servers.wait_died()
        await died.start()

    after which the server is back on the same URL.
    """

    def __init__(self, home: Path, config: ServersConfig = ServersConfig()) -> None:
        self._path = home
        self._config = config
        self._home: Home | None = None
        self._postgresql: PostgresqlServer | None = None
        self._valkey: ValkeyServer | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def postgresql(self) -> PostgresqlServer:
        if self._postgresql is None:
            raise RuntimeError("the embedded servers are not started")
        return self._postgresql

    @property
    def valkey(self) -> ValkeyServer:
        if self._valkey is None:
            raise RuntimeError("the embedded servers are not started")
        return self._valkey

    @property
    def addresses(self) -> Addresses:
        return Addresses(self.postgresql.url, self.valkey.url)

    async def start(self) -> Addresses:
        """Start both at once and return when both answer; raises `SetupError`, and then neither runs."""
        if self._home is not None:
            return self.addresses
        self._home = Home.open(self._path)
        try:
            self._postgresql = PostgresqlServer(
                self._home, self._config.postgresql_settings, durable=self._config.durable
            )
            self._valkey = ValkeyServer(self._home, self._config.valkey_max_memory_mb, durable=self._config.durable)
            await _start_all(self._postgresql, self._valkey)
        except BaseException:
            await self.stop()
            raise
        return self.addresses

    async def stop(self) -> None:
        """Stop both cleanly, by force after some seconds, and give the home back. May be called at any time."""
        running = [server for server in (self._postgresql, self._valkey) if server is not None]
        try:
            await asyncio.gather(*(server.stop() for server in running))
        finally:
            self._postgresql = self._valkey = None
            home, self._home = self._home, None
            if home is not None:
                home.close()

    async def wait_died(self) -> Server:
        """Return a server that is down although nobody stopped it, within a tenth of a second.

        Returns it again at each call until it was started. Keeps the log files bounded while it waits.
        """
        trimmed = time.monotonic()
        while True:
            for server in (self.postgresql, self.valkey):
                if server.died:
                    return server
                if time.monotonic() - trimmed > _TRIM_SECONDS:
                    server.log.trim()
            if time.monotonic() - trimmed > _TRIM_SECONDS:
                trimmed = time.monotonic()
            await asyncio.sleep(_WATCH_SECONDS)


async def _start_all(*servers: Server) -> None:
    """Start all; the first failure cancels the others and is raised as itself, not in a group."""
    tasks = [asyncio.create_task(server.start()) for server in servers]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
