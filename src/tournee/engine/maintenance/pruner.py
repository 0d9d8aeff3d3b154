"""The pruner: finished rows are kept for the idempotency horizon, then deleted in small batches.

Walks the ledger by id, a little at each run, so that no index on state or time is needed and no run holds many locks.
Token buckets that are full again go too.
"""

from __future__ import annotations

from datetime import timedelta

from tournee.engine.ports import JobStore

HORIZON = timedelta(days=30)
"""How long a finished job's key is remembered: an enqueue within it finds the job there."""
LOOK_AT = 2_000
BATCHES = 20
CURSOR = "pruner"


class Pruner:
    """Deletes what is older than the horizon."""

    def __init__(self, store: JobStore, horizon: timedelta = HORIZON) -> None:
        self._store = store
        self._horizon = horizon

    async def prune(self) -> int:
        """One run over a bounded range of ids; answers how many rows were deleted."""
        cursor = await self._store.read_cursor(CURSOR) or 0
        deleted = 0
        for _ in range(BATCHES):
            cursor, reached_end, count = await self._store.prune_finished(cursor, LOOK_AT, self._horizon)
            deleted += count
            if reached_end:
                cursor = 0
                break
        await self._store.write_cursor(CURSOR, cursor)
        await self._store.prune_buckets()
        return deleted
