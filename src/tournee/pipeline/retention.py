"""Retention: what was kept for its time goes, a little at a time.

Keeps: no transaction holds many locks, and several processes may do this at once. Refuses to hurry: what one run leaves
is done by the next.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import structlog

from tournee.db.pool import Connection, Pool
from tournee.pipeline.store import retention
from tournee.pipeline.store.reading import open_writing

PRUNE_SECONDS: Final = 600.0
"""How often a process that maintains looks."""

STAGED_KEPT: Final = timedelta(days=1)
"""Within it a second import of the same mail is refused before its bytes are staged again."""

BATCH: Final = 100
BATCHES: Final = 50

log = structlog.get_logger(__name__)


async def prune_raw(pool: Pool) -> int:
    """Empty raw mail past its date and forget what imports had staged; answers how many rows were touched.

    Commits batch by batch. Raises `LedgerUnavailable` or `LedgerContended`; a later run goes on.
    """
    emptied = await _repeat(pool, lambda connection: retention.prune_raw(connection, BATCH))
    forgotten = await _repeat(pool, lambda connection: retention.prune_staged_mails(connection, BATCH, STAGED_KEPT))
    if emptied or forgotten:
        log.info("raw mail pruned", messages=emptied, staged=forgotten)
    return emptied + forgotten


async def _repeat(pool: Pool, prune: Callable[[Connection], Awaitable[int]]) -> int:
    total = 0
    for _ in range(BATCHES):
        async with open_writing(pool) as connection:
            count = await prune(connection)
        total += count
        if count < BATCH:
            break
    return total
