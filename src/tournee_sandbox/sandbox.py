"""All simulators of one home, started and stopped together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tournee_sandbox.discord.server import DiscordSimulator
from tournee_sandbox.lifecycle import Simulator
from tournee_sandbox.smtp.server import SmtpSimulator

Addresses = Mapping[str, Mapping[str, str]]


class Sandbox:
    """The simulators under `home`, their faults drawn from `seed`. One start and one stop for all.

    `async with Sandbox(home, seed) as sandbox: sandbox.read_addresses()["smtp"]["url"]`
    """

    def __init__(self, home: Path, seed: int = 0) -> None:
        self.home = home
        self.seed = seed
        self.smtp = SmtpSimulator(home / "smtp", seed)
        self.discord = DiscordSimulator(home / "discord", seed)
        self._simulators: Sequence[Simulator] = (self.smtp, self.discord)

    async def start(self) -> None:
        """Returns when all answer; if one fails to start, those before it are stopped again."""
        try:
            for simulator in self._simulators:
                await simulator.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        for simulator in reversed(self._simulators):
            await simulator.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.stop()

    def read_addresses(self) -> Addresses:
        """By simulator, then by purpose: `{"smtp": {"url": "smtp://…", "control": "http://…"}, "discord": …}`."""
        return {simulator.name: dict(simulator.read_addresses()) for simulator in self._simulators}
