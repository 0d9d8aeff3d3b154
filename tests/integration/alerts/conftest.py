"""Alerts that reach the sandbox's Discord and SMTP server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.alerts import MovedClock
from tournee_sandbox.discord.server import DiscordOptions, DiscordSimulator
from tournee_sandbox.sandbox import Sandbox


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
async def sandbox(tmp_path: Path, clock: MovedClock) -> AsyncIterator[Sandbox]:
    """Discord counts the seconds of its rate limit by the clock that the test moves."""
    made = Sandbox(tmp_path / "sandbox")
    made.discord = DiscordSimulator(tmp_path / "sandbox" / "discord", 0, DiscordOptions(clock=clock.monotonic))
    made._simulators = (made.smtp, made.discord)
    async with made as running:
        yield running
