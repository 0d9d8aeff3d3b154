"""The embedded PostgreSQL: the ledger's home where no database URL is set."""

from __future__ import annotations

import signal
from collections.abc import Mapping

from tournee.embedded.account import own_folder
from tournee.embedded.binaries import find_postgresql, place_binaries
from tournee.embedded.cluster import DATABASE, ENVIRONMENT, OWNER, SUPERUSER, Cluster
from tournee.embedded.credentials import Credentials
from tournee.embedded.home import Home
from tournee.embedded.server import Server
from tournee.kit.child import Command
from tournee.kit.ports import LOOPBACK

_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "1GB",
    "min_wal_size": "128MB",
    "wal_compression": "on",
    "synchronous_commit": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "datestyle": "iso, ymd",
    "lc_messages": "C",
    "default_text_search_config": "pg_catalog.simple",
    "logging_collector": "off",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
    # A statement can hold a reader's words; the log names the error only.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}

_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}
"""Survives the death of any process, not of the machine. For tests: commits stay synchronous."""


class PostgresqlServer(Server):
    """PostgreSQL 18 on 127.0.0.1 with a role and a database `tournee`."""

    title = "PostgreSQL"
    program = "postgres"
    roles = (OWNER, SUPERUSER)
    # Fast shutdown, then immediate, which leaves the rest to recovery at the next start.
    stop_steps = ((signal.SIGINT, 15.0), (signal.SIGQUIT, 6.0))
    ready_seconds = 120.0
    passing_failures = ("pre-existing shared memory block",)

    def __init__(self, home: Home, settings: Mapping[str, str], durable: bool) -> None:
        super().__init__(home, home.path / "postgresql")
        self._wheel = find_postgresql()
        self._programs = place_binaries(self._wheel, home)
        self._cluster = Cluster(self.folder, self._programs, home.account, self.log)
        self._settings = {**_SETTINGS, **({} if durable else _NOT_DURABLE), **settings}
        self._durable = durable
        self.working_folder = self._cluster.data

    @property
    def url(self) -> str:
        """The database `tournee` as its owner, who is no superuser."""
        return f"postgresql://{OWNER}:{self.read_password(OWNER)}@{LOOPBACK}:{self.port}/{DATABASE}"

    @property
    def admin_url(self) -> str:
        """The database `postgres` as the superuser: for back-ups, and for tests that make databases."""
        return f"postgresql://{SUPERUSER}:{self.read_password(SUPERUSER)}@{LOOPBACK}:{self.port}/postgres"

    async def _prepare(self, credentials: Credentials, fresh: bool) -> None:
        own_folder(self.folder, self.home.account)
        created = await self._cluster.create_if_missing(credentials.passwords, self._durable)
        self._cluster.check_version(self._wheel.version)
        self._cluster.forget_stale_postmaster()
        self._cluster.write_settings(self._settings)
        if fresh and not created:
            await self._cluster.set_passwords(credentials.passwords)

    def _build_command(self, port: int, credentials: Credentials) -> Command:
        program = self._programs["postgres"]
        return Command(
            (program, "-D", self._cluster.data, "-p", str(port)),
            self.home.account,
            signal.SIGINT,
            environment=ENVIRONMENT,
        )

    async def _is_ready(self, pid: int, port: int, credentials: Credentials) -> bool:
        return self._cluster.is_ready(pid)
