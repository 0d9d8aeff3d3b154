"""Time in tests: waiting for what the world does in its own time, and judging how long it took."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import pytest


async def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Return as soon as `condition` holds; raises `TimeoutError` if it does not in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # Files and processes set no asyncio event.
            await asyncio.sleep(0.005)


def require_calm_machine() -> None:
    """Skip the rest of a test that judges times, where other work has the machine: its times would tell nothing."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > 2 * cores:
        pytest.skip(f"{load:.1f} processes want {cores} cores: times can't be judged")
