"""The real PostgreSQL and Valkey that tests run against: one pair for each pytest process.

A pair for each xdist worker and not one for all, so that a test may empty or kill its servers without a word to
anybody. The pair starts in about a second; without fsync, since no test outlives the machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import redis

from tests.support.folders import open_folder
from tournee.embedded import Addresses, EmbeddedServers, PostgresqlServer, ServersConfig, ValkeyServer

T = TypeVar("T")

TEMPLATE = "tournee_template"


class SessionServers:
    """Blocking on purpose: fixtures of sync and async tests alike use it, between the event loops of the tests.

    `postgresql` and `valkey` belong to no event loop, so an async test may `await servers.valkey.kill()`; whatever
    it leaves down is started again for the next test.
    """

    def __init__(self, home: Path) -> None:
        # A loop factory keeps the runner from changing the thread's current event loop, which is pytest-asyncio's.
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._embedded = EmbeddedServers(home, ServersConfig(durable=False))
        self._databases = 0
        self._migrated = False

    @property
    def postgresql(self) -> PostgresqlServer:
        return self._embedded.postgresql

    @property
    def valkey(self) -> ValkeyServer:
        return self._embedded.valkey

    @property
    def addresses(self) -> Addresses:
        return self._embedded.addresses

    def start(self) -> None:
        self._run(self._embedded.start())

    def stop(self) -> None:
        self._run(self._embedded.stop())
        self._runner.close()

    def create_database(self, migrated: bool = True) -> str:
        """Make a fresh database, of the current schema or empty, and return its URL as the role `tournee`."""
        self._run(self.postgresql.start())
        template = "template1"
        if migrated:
            self._migrate_template()
            template = TEMPLATE
        self._databases += 1
        name = f"test_{self._databases}"
        # Copying files beats writing the copy into the log by far, as nothing here is ever synced.
        self._execute(f"CREATE DATABASE {name} OWNER tournee TEMPLATE {template} STRATEGY FILE_COPY")
        return self._url_of(name)

    def drop_database(self, url: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self._run(self.postgresql.start())
        self._execute(f"DROP DATABASE IF EXISTS {urlsplit(url).path[1:]} WITH (FORCE)")

    def empty_redis(self) -> str:
        """Empty all of Valkey's databases, scripts included, and return the URL of database 0."""
        self._run(self.valkey.start())
        with redis.Redis.from_url(self.valkey.url) as client:
            client.flushall()
            client.script_flush()
            client.config_set("maxmemory", "1gb")
        return self.valkey.url

    def _migrate_template(self) -> None:
        if self._migrated:
            return
        from tournee.db.migrations import migrate

        self._execute(f"CREATE DATABASE {TEMPLATE} OWNER tournee")
        self._run(migrate(self._url_of(TEMPLATE)))
        self._migrated = True

    def _url_of(self, database: str) -> str:
        return urlunsplit(urlsplit(self.postgresql.url)._replace(path=f"/{database}"))

    def _execute(self, statement: str) -> None:
        async def execute() -> None:
            connection = await asyncpg.connect(self.postgresql.admin_url)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        self._run(execute())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)


@contextmanager
def run_session_servers() -> Iterator[SessionServers]:
    """Start a pair in a folder of its own; stop it and remove the folder afterwards."""
    with open_folder("tournee-tests", in_memory=True) as folder:
        servers = SessionServers(folder)
        try:
            servers.start()
            yield servers
        finally:
            servers.stop()
