"""The pruner: finished rows are kept for the idempotency horizon, then deleted in small batches.

Walks the ledger by id until it meets rows younger than the horizon, so that no index on state or time is needed, and
rests nine times as long as each batch took: it keeps up with what comes in, and costs the jobs at most a tenth of one
connection. Token buckets that are full again go too.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tournee.engine.ports import JobStore

HORIZON = timedelta(days=30)
"""How long a finished job's key is remembered: an enqueue within it finds the job there."""
LOOK_AT = 2_000
REST_SHARE = 9
"""So many times as long as a batch took, the pruner rests."""
RUN_SECONDS = 45.0
"""A run ends after that and keeps its place, so that another process may take the lead."""
CURSOR = "pruner"


class Pruner:
    """Deletes what is older than the horizon."""

    def __init__(self, store: JobStore, horizon: timedelta = HORIZON) -> None:
        self._store = store
        self._horizon = horizon

    async def prune(self) -> int:
        """One run; answers how many rows were deleted."""
        cursor = await self._store.read_cursor(CURSOR) or 0
        loop, deleted, reached_end = asyncio.get_running_loop(), 0, False
        until = loop.time() + RUN_SECONDS
        while not reached_end and loop.time() < until:
            began = loop.time()
            cursor, reached_end, count = await self._store.prune_finished(cursor, LOOK_AT, self._horizon)
            deleted += count
            await self._store.write_cursor(CURSOR, 0 if reached_end else cursor)
            if not reached_end:
                await asyncio.sleep(REST_SHARE * (loop.time() - began))
        await self._store.prune_buckets()
        return deleted
