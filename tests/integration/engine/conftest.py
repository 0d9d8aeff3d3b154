"""An engine on a fresh database and an empty Valkey."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.support.engine import Bench, close_bench, open_bench

OpenBench = Callable[..., Awaitable[Bench]]


@pytest.fixture
async def open_benches(database_url: str, redis_url: str) -> AsyncIterator[OpenBench]:
    """Opens engines on the same servers, as several processes would; closed after the test."""
    benches: list[Bench] = []

    async def open_another(**options: Any) -> Bench:
        bench = await open_bench(database_url, redis_url, **options)
        benches.append(bench)
        return bench

    yield open_another
    for bench in benches:
        await close_bench(bench)


@pytest.fixture
async def bench(open_benches: OpenBench) -> Bench:
    """Its queues are declared; nothing runs before `start()`."""
    return await open_benches()
