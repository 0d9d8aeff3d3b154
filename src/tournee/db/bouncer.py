"""A connection through PgBouncer in transaction mode.

PgBouncer lends a server connection for one transaction and refuses start-up parameters that it does not know, so the
session's rules can't be told once. Owns how they are told instead: with each BEGIN, in the same message. Invariant: no
statement runs without them, so each one that is sent alone gets a transaction of its own. Nothing is named on the
server, since the next statement may meet another one. Refuses nothing: on a direct connection it works as well, with
more round trips.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg

from tournee.db.ending import CandidConnection

_HANGING = (asyncio.CancelledError, TimeoutError)
_TRANSACTION_WORDS = ("BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT")


class BouncedConnection(CandidConnection):
    """Keeps asyncpg's contract; `bound_transactions` is called once, before the first statement."""

    _rules = ""

    def bound_transactions(self, rules: Mapping[str, str]) -> None:
        """Set these parameters for each transaction that begins from now on."""
        self._rules = "".join(f" SET LOCAL {name} = '{value}';" for name, value in rules.items())

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        if query.startswith(_TRANSACTION_WORDS):
            # The driver's own statements: each of its transactions starts with BEGIN, so the rules cost no round trip.
            rules = self._rules if query.startswith("BEGIN") else ""
            return await super().execute(f"{query}{rules}", *args, timeout=timeout)
        async with self._alone():
            return await super().execute(query, *args, timeout=timeout)

    async def executemany(self, command: str, args: Iterable[Any], *, timeout: float | None = None) -> None:
        async with self._alone():
            await super().executemany(command, args, timeout=timeout)

    async def fetch(self, query: str, *args: Any, **options: Any) -> Any:
        async with self._alone():
            return await super().fetch(query, *args, **options)

    async def fetchrow(self, query: str, *args: Any, **options: Any) -> Any:
        async with self._alone():
            return await super().fetchrow(query, *args, **options)

    async def fetchval(self, query: str, *args: Any, **options: Any) -> Any:
        async with self._alone():
            return await super().fetchval(query, *args, **options)

    async def fetchmany(self, query: str, args: Iterable[Any], **options: Any) -> Any:
        async with self._alone():
            return await super().fetchmany(query, args, **options)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """A transaction for one statement, unless one is open."""
        if self.is_in_transaction():
            yield
            return
        transaction = self.transaction()
        try:
            await transaction.start()
            try:
                yield
            except _HANGING:
                raise
            except BaseException:
                with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    await transaction.rollback()
                raise
            await transaction.commit()
        except _HANGING:
            # A rollback would wait for the server to confirm the cancellation. PgBouncer drops its side with ours, and
            # the server rolls back.
            self.terminate()
            raise
