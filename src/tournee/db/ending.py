"""A connection that tells when a COMMIT was none.

PostgreSQL answers the COMMIT of a transaction in which a statement failed with ROLLBACK, as if that were fine, and the
driver does not look: a caller who swallowed the statement's error would take its transaction for committed. Owns that
look. Invariant: a COMMIT that returns has committed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

if TYPE_CHECKING:
    _Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    _Connection = asyncpg.Connection


class CandidConnection(_Connection):
    """Keeps asyncpg's contract, but for that look."""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Raises `InFailedSQLTransactionError` for a COMMIT that rolled back."""
        status: str = await super().execute(query, *args, timeout=timeout)
        if status == "ROLLBACK" and query.startswith("COMMIT"):
            raise asyncpg.InFailedSQLTransactionError("a statement had failed, so the COMMIT rolled all back")
        return status
