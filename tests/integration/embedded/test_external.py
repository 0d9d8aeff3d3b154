"""Debian's servers, which the suite runs the system against, are what the README promises at the least."""

from __future__ import annotations

import asyncpg
import pytest
import redis.asyncio

from tests.support.external import ExternalServers
from tournee.db.migrations import migrate


@pytest.mark.external
async def test_the_oldest_supported_servers_take_our_schema(external_servers: ExternalServers) -> None:
    assert await migrate(external_servers.database_url)
    connection = await asyncpg.connect(external_servers.database_url)
    assert connection.get_server_version().major == 15
    assert await connection.fetchval("SELECT to_regclass('engine.jobs')") == "engine.jobs"
    await connection.close()
    async with redis.asyncio.Redis.from_url(external_servers.redis_url) as client:
        assert (await client.info("server"))["redis_version"].startswith("7.")
