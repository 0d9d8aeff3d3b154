"""A running Discord simulator, and a client that speaks to it as any program would."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tournee_sandbox.discord.server import DiscordOptions, DiscordSimulator

CARD: dict[str, Any] = {
    "title": "PostgreSQL is down",
    "description": "Jobs wait. **Nothing is lost.**",
    "url": "https://console.example/status",
    "color": 0xED4245,
    "timestamp": "2026-11-20T09:30:00.000Z",
    "author": {"name": "Tournée"},
    "fields": [
        {"name": "Since", "value": "09:29", "inline": True},
        {"name": "Process", "value": "worker 1", "inline": True},
        {"name": "Error", "value": "```\nConnectionRefusedError\n```"},
    ],
    "footer": {"text": "production"},
}


@dataclass
class Discord:
    """The simulator, its webhook's address with the version that is in force, and a client."""

    simulator: DiscordSimulator
    client: httpx.AsyncClient

    @property
    def url(self) -> str:
        return self.simulator.read_addresses()["url"].replace("/api/", "/api/v10/")

    @property
    def control(self) -> str:
        return self.simulator.read_addresses()["control"]

    async def post(self, body: Any, **query: str) -> httpx.Response:
        return await self.client.post(self.url, json=body, params=query)

    async def set_faults(self, *faults: dict[str, Any]) -> None:
        answer = await self.client.put(f"{self.control}/faults", json=list(faults))
        assert answer.status_code == 200, answer.text


@asynccontextmanager
async def run_discord(folder: Path, options: DiscordOptions | None = None, seed: int = 1) -> AsyncIterator[Discord]:
    """Start the simulator, end it."""
    simulator = DiscordSimulator(folder, seed, options)
    await simulator.start()
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            yield Discord(simulator, client)
    finally:
        await simulator.stop()
