"""Fixtures of the whole suite: real servers, a fresh database for each test, the folders of samples."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.bouncer import Bouncer, require_pgbouncer, run_bouncer
from tests.support.external import ExternalPair, ExternalServers, ExternalServersMissing, require_external_servers
from tests.support.folders import open_folder
from tests.support.servers import SessionServers, run_session_servers
from tournee_sandbox.mailbox import write_sample_mailbox


@pytest.fixture(scope="session")
def servers() -> Iterator[SessionServers]:
    """The PostgreSQL and Valkey of this pytest process. A test may kill or restart them."""
    with run_session_servers() as running:
        yield running


@pytest.fixture
def database_url(servers: SessionServers) -> Iterator[str]:
    """A fresh database with the current schema, owned by the role that the URL names; gone after the test."""
    url = servers.create_database()
    yield url
    servers.drop_database(url)


@pytest.fixture
def empty_database_url(servers: SessionServers) -> Iterator[str]:
    """A fresh database that was never migrated; gone after the test."""
    url = servers.create_database(migrated=False)
    yield url
    servers.drop_database(url)


@pytest.fixture
def redis_url(servers: SessionServers) -> str:
    """An empty Valkey; no other test uses it at the same time."""
    return servers.empty_redis()


@pytest.fixture
async def external_servers() -> AsyncIterator[ExternalServers]:
    """Debian's PostgreSQL 15 and Redis 7, as an operator's own servers; skips where they can't be had."""
    try:
        require_external_servers()
    except ExternalServersMissing as missing:
        pytest.skip(str(missing))
    with open_folder("tournee-external") as folder:
        async with ExternalPair(folder) as running:
            yield running


@pytest.fixture(scope="session")
def pgbouncer() -> Path:
    """Debian's PgBouncer; skips where it can't be had."""
    try:
        return require_pgbouncer()
    except ExternalServersMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def bouncer(servers: SessionServers, pgbouncer: Path) -> Iterator[Bouncer]:
    """PgBouncer in transaction mode before PostgreSQL."""
    with (
        open_folder("tournee-bouncer") as folder,
        run_bouncer(folder / "pgbouncer", pgbouncer, servers.postgresql.url) as running,
    ):
        yield running


@pytest.fixture
def home() -> Iterator[Path]:
    """A fresh folder in which the embedded servers can work; its name has a space."""
    with open_folder("tournee home") as folder:
        yield folder


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of sample mails; skips where TOURNEE_CORPUS does not name it."""
    return _read_folder("TOURNEE_CORPUS")


@pytest.fixture
def mails(home: Path) -> Path:
    """A folder of mails that is always there: the corpus, or else the sample mailbox in three copies that differ."""
    if os.environ.get("TOURNEE_CORPUS"):
        return _read_folder("TOURNEE_CORPUS") / "mail"
    folder = home / "mails"
    for number in range(3):
        write_sample_mailbox(folder / str(number))
        for path in (folder / str(number)).rglob("*.eml"):
            path.write_bytes(b"X-Copy: %d\r\n%s" % (number, path.read_bytes()))
    return folder


@pytest.fixture(scope="session")
def specs() -> Path:
    """The folder of the providers' published specifications; skips where TOURNEE_SPECS does not name it."""
    return _read_folder("TOURNEE_SPECS")


def _read_folder(variable: str) -> Path:
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} is not set")
    folder = Path(value)
    if not folder.is_dir():
        pytest.fail(f"{variable} names {folder}, which is no folder")
    return folder
