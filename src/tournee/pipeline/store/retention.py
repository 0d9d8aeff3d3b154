"""How long bytes are kept: raw mail until its date, staged mail until its import is over.

Keeps: only bytes go; what was read in them stays. The caller commits.
"""

from __future__ import annotations

from datetime import timedelta

from tournee.db.pool import Connection
from tournee.pipeline.store.sql import SQL


async def prune_raw(connection: Connection, limit: int) -> int:
    """Empty the raw bytes of up to `limit` messages whose date is past; answers of how many."""
    return len(await connection.fetch(SQL.prune_raw, limit))


async def prune_staged_mails(connection: Connection, limit: int, kept: timedelta) -> int:
    """Forget up to `limit` emptied rows of imports that ended `kept` ago; answers how many."""
    return len(await connection.fetch(SQL.prune_staged_mails, limit, kept))
