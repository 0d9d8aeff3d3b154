"""The Discord simulator: its API and its control interface, started and stopped together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tournee_sandbox.discord.api import DiscordState, build_api
from tournee_sandbox.discord.control import build_control
from tournee_sandbox.discord.fault import DiscordFault
from tournee_sandbox.discord.message_store import MessageStore
from tournee_sandbox.discord.rate_limit import RateLimit, RateLimiter
from tournee_sandbox.discord.webhooks import Webhook, Webhooks
from tournee_sandbox.http_faults import HttpFaultPlan
from tournee_sandbox.loopback import LoopbackHttp


@dataclass(frozen=True, slots=True)
class DiscordOptions:
    """Where it listens and how much it takes. Ports None: free ones. `clock` counts the rate limit's seconds."""

    port: int | None = None
    control_port: int | None = None
    limit: RateLimit = field(default_factory=RateLimit)
    clock: Callable[[], float] = time.monotonic


class DiscordSimulator:
    """Executes webhooks on loopback, keeps their messages under `folder`, misbehaves as `plan` says.

    A stopped simulator starts again on the same port, so that a client can meet an outage and its end.
    """

    name = "discord"

    def __init__(self, folder: Path, seed: int, options: DiscordOptions | None = None) -> None:
        options = options or DiscordOptions()
        self.store = MessageStore(folder)
        self.plan: HttpFaultPlan[DiscordFault] = HttpFaultPlan(DiscordFault, seed)
        self.webhooks = Webhooks(seed)
        self._ended = asyncio.Event()
        limiter = RateLimiter(options.limit, options.clock)
        state = DiscordState(self.webhooks, self.store, self.plan, limiter, self._ended)
        self._api = LoopbackHttp(build_api(state), options.port)
        self._control = LoopbackHttp(build_control(state, self.name_url), options.control_port)

    async def start(self) -> None:
        self._ended.clear()
        self.store.open()
        try:
            await self._api.start()
            await self._control.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        self._ended.set()
        await asyncio.gather(self._api.stop(), self._control.stop())
        self.store.close()

    def read_addresses(self) -> Mapping[str, str]:
        return {"url": self.name_url(self.webhooks.first), "control": self._control.url}

    def name_url(self, webhook: Webhook) -> str:
        """Where a webhook is reached, in the form that Discord hands out: without a version."""
        return f"{self._api.url}/api/webhooks/{webhook.id}/{webhook.token}"
