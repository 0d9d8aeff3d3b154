"""Reading, and small upkeep, outside of a job's transaction.

Owns what a fault of PostgreSQL means there: the ledger is away or in the way, which uses no attempt of a job. No effect
of a job is written through these connections.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tournee.db.pool import CONTENDED, UNAVAILABLE, Connection, Pool
from tournee.engine.ports import LedgerContended, LedgerUnavailable


@asynccontextmanager
async def open_reading(pool: Pool) -> AsyncIterator[Connection]:
    """A connection for reads and nothing else. Raises `LedgerUnavailable` or `LedgerContended`."""
    try:
        async with pool.acquire() as connection:
            yield connection
    except CONTENDED as error:
        raise LedgerContended(str(error)) from error
    except UNAVAILABLE as error:
        raise LedgerUnavailable(str(error) or type(error).__name__) from error


@asynccontextmanager
async def open_writing(pool: Pool) -> AsyncIterator[Connection]:
    """A connection in a transaction of its own, committed at the end. Raises as `open_reading` does."""
    async with open_reading(pool) as connection, connection.transaction():
        yield connection
