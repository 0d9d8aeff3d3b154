"""A ledger, and an explorer that runs races on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.interleavings.explorer import Act, Explorer, Race
from tests.interleavings.ledger import Before, Ledger
from tests.support.pools import make_patient
from tournee.db.pool import open_pool

RunRace = Callable[..., Awaitable[None]]


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[Ledger]:
    """One that a race begins with; `make_…` empties it first."""
    # A session waits for its turn, and for locks, for as long as the machine takes over the others' steps.
    pool = await open_pool(make_patient(database_url, max_size=6, lock_timeout_seconds=60.0))
    ledger = Ledger(pool)
    await ledger.open()
    yield ledger
    await pool.close()


@pytest.fixture
def race(ledger: Ledger) -> RunRace:
    """Try all orders; what is seen must be what is allowed, no more and no less."""

    async def run_race(prepare: Callable[[], Awaitable[Before]], allowed: set[str], **acts: Act[Before]) -> None:
        seen = await Explorer(ledger.pool).explore(Race(prepare, acts, ledger.judge))
        unexpected = {line: order for line, order in seen.items() if line not in allowed}
        assert unexpected == {}
        assert allowed - seen.keys() == set(), "allowed, but no order leads to it any more"

    return run_race
