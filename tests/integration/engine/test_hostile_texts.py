"""What others wrote may hold what PostgreSQL can't: it must not change what is counted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.integration.engine.conftest import OpenBench
from tests.support.engine import Work
from tournee.engine.client import Job, ProviderUnavailable

HOSTILE = ["429 \x00 too many", "429 \ud800 too many"]


@pytest.mark.parametrize("message", HOSTILE, ids=["NUL", "lone surrogate"])
async def test_an_outage_counts_whatever_its_provider_wrote(open_benches: OpenBench, message: str) -> None:
    bench = await open_benches(provider="shop")

    async def script(_job: Job[Work]) -> None:
        raise ProviderUnavailable("shop", message, timedelta(seconds=60))

    bench.handlers.script = script
    await bench.start()
    await bench.enqueue(Work(n=0))

    async def parked() -> bool:
        return (await bench.show()).outages == 1

    await bench.wait_until(parked, 20)
    [provider] = await bench.engine.read_providers()
    assert (provider.state, provider.reason) == ("open", f"shop: 429 {'�' if chr(0) in message else '?'} too many")
    row = await bench.show()
    assert row.run_at - row.created_at > timedelta(seconds=50), "parked for as long as the provider asked for"
