"""The explorer finds what it is made for: a race whose guard is missing, and the order that shows it."""

from __future__ import annotations

from tests.interleavings.acts import claim
from tests.interleavings.explorer import Explorer, Race, Session
from tests.interleavings.ledger import ANN, BEN, Before, Ledger

READ = "SELECT state FROM engine.jobs"
CLAIM = "UPDATE engine.jobs SET state = 'running', lease = lease + 1"


async def claim_what_was_read(session: Session, before: Before) -> str:
    """A claim that reads and writes apart: two of them can win."""
    async with session.store.session.transaction() as connection:
        if await connection.fetchval(READ) != "queued":
            return "found nothing"
        await connection.execute(CLAIM)
    return "claimed"


async def test_an_unguarded_claim_is_caught_winning_twice(ledger: Ledger) -> None:
    acts = {"ann": claim_what_was_read, "ben": claim_what_was_read}
    seen = await Explorer(ledger.pool).explore(Race(ledger.make_queued, acts, ledger.judge))

    order = seen["ann claimed, ben claimed: running dispatch 1 lease 2"]
    assert order.index("ben: effect") < order.rindex("ann: commit")


async def test_every_order_is_tried_once(ledger: Ledger) -> None:
    """Two sessions of two steps: six orders, less the one in each direction in which a lock decides."""
    explorer = Explorer(ledger.pool)
    await explorer.explore(Race(ledger.make_queued, {"ann": claim(ANN), "ben": claim(BEN)}, ledger.judge))

    assert explorer.orders == 4
