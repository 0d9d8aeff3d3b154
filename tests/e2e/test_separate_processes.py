"""API and two workers as processes, against an operator's PostgreSQL 15 and Redis 7, through every loss."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
import redis.asyncio

from tests.support.commands import run_command, serve_command
from tests.support.external import ExternalServers
from tests.support.progress import wait_for_notified
from tests.support.sinks import open_mail_sink

pytestmark = [pytest.mark.slow, pytest.mark.external, pytest.mark.timeout(900)]


async def test_api_and_two_workers_outlast_flush_kill_of_redis_and_kill_of_a_worker(
    mails: Path, home: Path, external_servers: ExternalServers
) -> None:
    async with AsyncExitStack() as stack:
        sink = await stack.enter_async_context(open_mail_sink(home / "sink"))
        more = {
            "TOURNEE_DATABASE_URL": external_servers.database_url,
            "TOURNEE_REDIS_URL": external_servers.redis_url,
            "TOURNEE_SMTP_URL": sink.url,
        }
        assert (await run_command("migrate", home=home / "cli", more=more)).code == 0
        api = await stack.enter_async_context(serve_command("api", home=home / "api", more=more))
        doomed = await stack.enter_async_context(serve_command("worker", home=home / "first", more=more))
        await stack.enter_async_context(serve_command("worker", home=home / "second", more=more))
        importing = asyncio.create_task(
            run_command("import", str(mails), "--notify", "--json", home=home / "cli", more=more, seconds=600)
        )
        await wait_for_notified(external_servers.database_url, 5)
        async with redis.asyncio.Redis.from_url(external_servers.redis_url) as client:
            await client.flushall()
        await wait_for_notified(external_servers.database_url, 30)
        await external_servers.kill_redis()
        assert await read_ready(api.addresses["console"]) == 503
        await external_servers.start_redis()
        await wait_for_notified(external_servers.database_url, 60)
        await doomed.kill()
        done = await importing
        assert done.code == 0, done.stderr[-3000:]
        summary = done.read_json()
        received = await sink.count_by_message_id()
        assert await read_ready(api.addresses["console"]) == 200
    assert summary["lost"] == summary["dead"] == 0
    assert summary["newsletters"] == summary["analysed"] + summary["cache_hits"]
    assert summary["indexed"] == summary["notified"] == summary["newsletters"] == len(received)


async def read_ready(console: str) -> int:
    """What the API says of itself: ready, or not while a store is away."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        return (await client.get(console.partition("/enter")[0] + "/readyz")).status_code
