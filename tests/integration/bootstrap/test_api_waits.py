"""`tournee api` started while PostgreSQL is down: it answers 503, tells of it, and serves once PostgreSQL is back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx

from tests.support.servers import SessionServers
from tests.support.waiting import wait_until
from tournee.bootstrap.api import run_api
from tournee.kit.ports import find_free_port
from tournee.reports import Address
from tournee.settings import Settings
from tournee_sandbox.sandbox import Sandbox


async def test_the_api_starts_without_postgresql_says_503_and_recovers_by_itself(
    servers: SessionServers, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async with Sandbox(tmp_path / "sandbox") as sandbox:
        settings = Settings(
            home=tmp_path / "home",
            database_url=database_url,
            redis_url=redis_url,
            web_port=find_free_port(),
            board_port=find_free_port(),
            discord_webhook_url=sandbox.read_addresses()["discord"]["url"],
            alert_quiet_start_seconds=0,
        )
        await servers.postgresql.kill()
        announced: list[Address] = []
        stop = asyncio.Event()
        api = asyncio.create_task(run_api(settings, announce=announced.extend, stop=stop))
        base = f"http://127.0.0.1:{settings.web_port}"
        async with httpx.AsyncClient(base_url=base, timeout=60) as client:
            refused = await client.get("/api/status")
            assert refused.status_code == 503
            assert "PostgreSQL" in refused.json()["error"]
            assert refused.headers["retry-after"] == "3"
            page = await client.get("/", headers={"accept": "text/html"})
            assert page.status_code == 503
            assert "<h1>One moment</h1>" in page.text
            assert not announced
            kept = sandbox.discord.store
            await wait_until(lambda: bool(kept.messages), 60)
            assert kept.messages[0].sent["embeds"][0]["title"] == "Database down: PostgreSQL"

            await servers.postgresql.start()
            await wait_until(lambda: bool(announced) or api.done(), 60)
            assert (await client.get("/healthz")).status_code == 200
            await wait_until(lambda: len(kept.messages) == 2, 60)
            back = kept.messages[1].sent["embeds"][0]
        stop.set()
        await api
    assert back["title"] == "Database back: PostgreSQL"
    assert {"name": "Errors it explains", "value": "2", "inline": True} in back["fields"]
