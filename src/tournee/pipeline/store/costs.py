"""What analysis has cost, for whoever pays. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from tournee.db.pool import Pool
from tournee.pipeline.store.sql import SQL


@dataclass(frozen=True, slots=True)
class Cost:
    """Analyses computed, in all and since midnight UTC; costs in microcents, millionths of a cent."""

    analyses: int
    analyses_today: int
    tokens_in: int
    tokens_out: int
    cost_microcents: int
    cost_microcents_today: int


async def read_cost(pool: Pool) -> Cost:
    """Count it now."""
    row = await pool.fetchrow(SQL.read_cost)
    assert row is not None
    return Cost(**row)
