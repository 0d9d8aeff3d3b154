"""Debian's PgBouncer in transaction mode, in front of a PostgreSQL that runs already."""

from __future__ import annotations

import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tests.support.external import install_missing
from tournee.embedded.account import find_account, own_folder, write_owned
from tournee.kit.child import ChildProcess, Command
from tournee.kit.ports import LOOPBACK, find_free_port

POOL_SIZE = 4
"""Server connections, for each database and role."""
_READY_SECONDS = 60.0
_SETTINGS = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 200
{more}
"""


@dataclass(frozen=True, slots=True)
class Bouncer:
    """Where it is."""

    port: int

    def redirect(self, database_url: str) -> str:
        """The same database and role, through the bouncer."""
        parts = urlsplit(database_url)
        account = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{account}@{LOOPBACK}:{self.port}"))


def find_pgbouncer() -> Path | None:
    found = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
    return Path(found) if found else None


def require_pgbouncer() -> Path:
    """Raises `ExternalServersMissing`, as the other servers of an operator do."""
    if find_pgbouncer() is None:
        install_missing(["pgbouncer"])
    program = find_pgbouncer()
    assert program is not None
    return program


@contextmanager
def run_bouncer(folder: Path, program: Path, database_url: str, more: str = "") -> Iterator[Bouncer]:
    """`database_url` names the server, the role and its password; `more` are lines of the section `[pgbouncer]`."""
    parts, account, port = urlsplit(database_url), find_account(), find_free_port()
    own_folder(folder, account)
    users, settings = folder / "users.txt", folder / "pgbouncer.ini"
    write_owned(users, f'"{parts.username}" "{parts.password}"\n', account)
    places = {"host": parts.hostname, "port": parts.port, "users": users, "own_port": port, "pool_size": POOL_SIZE}
    write_owned(settings, _SETTINGS.format(**places, more=more), account)
    with (folder / "pgbouncer.log").open("ab") as output:
        child = ChildProcess.spawn(Command([program, settings], account), output.fileno())
    try:
        _wait_listening(port, child)
        yield Bouncer(port)
    finally:
        # Its quick way to end: it waits for no client.
        child.send_signal(signal.SIGTERM)
        child.reap()


def _wait_listening(port: int, child: ChildProcess) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=10):
            return
        assert child.returncode is None, "PgBouncer ended at once"
        assert time.monotonic() < deadline, "PgBouncer does not listen"
        time.sleep(0.02)
