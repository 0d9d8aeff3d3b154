"""An engine whose every change is recorded, on a fresh database and an empty Valkey."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import Bench, close_bench, open_bench
from tests.support.invariants.scenario import Scenario, open_scenario

OpenScenario = Callable[..., Awaitable[Scenario]]


@pytest.fixture
async def open_scenarios(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[OpenScenario]:
    """Opens scenarios on the same servers; closed after the test."""
    benches: list[Bench] = []

    async def open_another(**options: Any) -> Scenario:
        bench = await open_bench(database_url, redis_url, **options)
        benches.append(bench)
        return await open_scenario(bench, tmp_path / "journal")

    yield open_another
    for bench in benches:
        await close_bench(bench)


@pytest.fixture
async def scenario(open_scenarios: OpenScenario) -> Scenario:
    """Nothing runs before `bench.start()`."""
    return await open_scenarios()
