"""An engine whose every change is recorded, on a fresh database and an empty Valkey."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import Bench, close_bench, open_bench
from tests.support.invariants.scenario import Scenario, open_scenario
from tests.support.invariants.trial import Trial
from tests.support.servers import SessionServers

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
def trial(servers: SessionServers, redis_url: str, tmp_path: Path) -> Iterator[Trial]:
    """Drives one scenario in the sound engine and in one without a guard."""
    urls = servers.create_database(), servers.create_database()
    yield Trial(*urls, redis_url, tmp_path)
    for url in urls:
        servers.drop_database(url)


@pytest.fixture
async def scenario(open_scenarios: OpenScenario) -> Scenario:
    """Nothing runs before `bench.start()`."""
    return await open_scenarios()
