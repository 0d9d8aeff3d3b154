"""What a started pair of servers offers, and to whom."""

from __future__ import annotations

import os
import pwd
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psutil
import pytest
import redis.asyncio
import redis.exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tests.support.servers import SessionServers
from tournee.embedded import EmbeddedServers, Server
from tournee.kit.ports import LOOPBACK

AT_ONCE = Retry(NoBackoff(), 0)


def list_servers(servers: SessionServers) -> tuple[Server, Server]:
    return servers.postgresql, servers.valkey


def replace_password(url: str, password: str) -> str:
    kept = urlsplit(url)
    assert kept.password is not None
    return url.replace(kept.password, password)


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    async with redis.asyncio.Redis.from_url(redis_url, decode_responses=True) as connected:
        yield connected


async def test_a_stop_and_start_keeps_data_and_addresses(home: Path) -> None:
    async with EmbeddedServers(home) as servers:
        first = servers.addresses
        connection = await asyncpg.connect(first.database_url)
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        await connection.close()
        async with redis.asyncio.Redis.from_url(first.redis_url) as client:
            await client.set("kept", "42")

    async with EmbeddedServers(home) as servers:
        assert servers.addresses == first
        connection = await asyncpg.connect(first.database_url)
        assert await connection.fetchval("SELECT answer FROM kept") == 42
        await connection.close()
        async with redis.asyncio.Redis.from_url(first.redis_url) as client:
            assert await client.get("kept") == b"42"


def test_passwords_are_in_no_representation_and_no_argument_list(servers: SessionServers) -> None:
    for server in list_servers(servers):
        password = server.read_password(server.roles[0])
        assert password not in " ".join(psutil.Process(server.pid).cmdline())
    assert servers.valkey.read_password("default") not in repr(servers.addresses)


async def test_postgresql_refuses_a_wrong_password(servers: SessionServers) -> None:
    for url in (servers.postgresql.url, servers.postgresql.admin_url):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(replace_password(url, "wrong"))


async def test_valkey_refuses_a_wrong_password_and_none(servers: SessionServers) -> None:
    with pytest.raises(redis.exceptions.AuthenticationError):
        wrong = replace_password(servers.valkey.url, "wrong")
        async with redis.asyncio.Redis.from_url(wrong, retry=AT_ONCE) as client:
            await client.get("any")
    with pytest.raises(redis.exceptions.AuthenticationError):
        async with redis.asyncio.Redis(host=LOOPBACK, port=servers.valkey.port, retry=AT_ONCE) as client:
            await client.get("any")


def test_servers_listen_on_loopback_only_and_below_the_outgoing_ports(servers: SessionServers) -> None:
    for server in list_servers(servers):
        listening = [
            connection.laddr
            for connection in psutil.Process(server.pid).net_connections("all")
            if connection.status == psutil.CONN_LISTEN or connection.family not in (2, 10)
        ]
        assert listening == [(LOOPBACK, server.port)]
        assert server.port < 32768


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run as another user")
def test_servers_of_root_run_as_nobody_without_any_group_of_root(servers: SessionServers) -> None:
    nobody = pwd.getpwnam("nobody")
    for server in list_servers(servers):
        process = psutil.Process(server.pid)
        assert set(process.uids()) == {nobody.pw_uid}
        assert set(process.gids()) == {nobody.pw_gid}
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        assert next(line for line in status.splitlines() if line.startswith("Groups:")).split() == ["Groups:"]


async def test_the_role_of_the_url_owns_its_database_and_is_no_superuser(servers: SessionServers) -> None:
    connection = await asyncpg.connect(servers.postgresql.url)
    try:
        assert await connection.fetchval("SHOW is_superuser") == "off"
        # Both are trusted extensions, which the owner of a database may create; the embedded search needs them.
        await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm; CREATE EXTENSION IF NOT EXISTS unaccent")
        assert await connection.fetchval("SELECT similarity('Élysée', 'ÉLYSÉE')") == 1
        words = await connection.fetchval("SELECT to_tsvector('simple', '«ÉTÉ» — Łódź')::text")
        assert words == "'été':1 'łódź':2"
    finally:
        await connection.close()


async def test_valkey_evicts_nothing_and_writes_an_append_only_file(client: redis.asyncio.Redis) -> None:
    assert await client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert await client.config_get("appendonly") == {"appendonly": "yes"}
    assert await client.config_get("save") == {"save": ""}
