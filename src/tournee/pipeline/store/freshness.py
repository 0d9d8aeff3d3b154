"""How fresh what readers find is. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from tournee.db.pool import Pool
from tournee.pipeline.store.sql import SQL


@dataclass(frozen=True, slots=True)
class Freshness:
    """From stored to searchable over the last five minutes, and the age of the stalest mailbox's synchronisation.
    None: nothing was indexed lately; there is no mailbox.
    """

    median_seconds: float | None
    p95_seconds: float | None
    stalest_seconds: float | None


async def read_freshness(pool: Pool) -> Freshness:
    """Look now; bounded work at any size."""
    row = await pool.fetchrow(SQL.read_freshness)
    assert row is not None
    return Freshness(**row)


async def read_longest_wait(pool: Pool) -> float:
    """For how many seconds the oldest newsletter has waited that is stored and neither searchable nor given up; 0 where
    none waits. Unlike the figures of what was indexed it grows while nothing is. Cheap enough for every look.
    """
    seconds: float | None = await pool.fetchval(SQL.read_longest_wait)
    return seconds or 0.0
