"""One session of an interleaving: the real store on one connection, each of whose statements waits for its turn.

Owns the gate before every statement and every COMMIT. BEGIN goes with the first statement, since at READ COMMITTED it
means nothing alone. A call that the store leaves to autocommit gets a transaction of its own here, so that the other
session can act while its locks are held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Any, TypeVar

import asyncpg

from tournee.engine.postgres.session import SQL

T = TypeVar("T")
NAMES = {text: name for name, text in SQL.items()}


class Standing(Enum):
    """Where a session is."""

    WAITS_FOR_TURN = auto()
    IN_STEP = auto()
    DONE = auto()


class Turns:
    """The gate of one session. The explorer gives turns; the session's task takes them."""

    def __init__(self, name: str, changed: asyncio.Event) -> None:
        self.name = name
        self.standing = Standing.IN_STEP
        self.step = "start"
        self._turn = asyncio.Event()
        self._changed = changed

    async def take(self, step: str) -> None:
        """Called by the session before a step: return when it may be taken."""
        self.step = step
        self._stand(Standing.WAITS_FOR_TURN)
        await self._turn.wait()
        self._turn.clear()

    def give(self) -> None:
        self._stand(Standing.IN_STEP)
        self._turn.set()

    def end(self) -> None:
        self._stand(Standing.DONE)

    def _stand(self, standing: Standing) -> None:
        self.standing = standing
        self._changed.set()


class _GatedTransaction:
    """What the store takes for asyncpg's transaction."""

    def __init__(self, connection: GatedConnection) -> None:
        self._connection = connection

    async def start(self) -> None:
        self._connection.begin()

    async def commit(self) -> None:
        await self._connection.end("COMMIT")

    async def rollback(self) -> None:
        await self._connection.end("ROLLBACK")


class GatedConnection:
    """As much of asyncpg's connection as the store uses."""

    def __init__(self, connection: asyncpg.Connection[Any], turns: Turns) -> None:
        self._connection = connection
        self.turns = turns
        self._in_transaction = False
        self._begun = False

    def transaction(self) -> _GatedTransaction:
        return _GatedTransaction(self)

    def is_closed(self) -> bool:
        return self._connection.is_closed()

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        return await self._run(sql, lambda: self._connection.fetch(sql, *arguments))

    async def fetchrow(self, sql: str, *arguments: Any) -> Any:
        return await self._run(sql, lambda: self._connection.fetchrow(sql, *arguments))

    async def fetchval(self, sql: str, *arguments: Any) -> Any:
        return await self._run(sql, lambda: self._connection.fetchval(sql, *arguments))

    async def execute(self, sql: str, *arguments: Any) -> str:
        return await self._run(sql, lambda: self._connection.execute(sql, *arguments))

    def begin(self) -> None:
        """A transaction of the store's own: its statements are not committed one by one."""
        self._in_transaction = True

    async def end(self, how: str) -> None:
        """COMMIT or ROLLBACK, in its turn."""
        await self.turns.take(how.lower())
        self._in_transaction = False
        if self._begun:
            self._begun = False
            await self._connection.execute(how)

    async def _run(self, sql: str, run: Callable[[], Awaitable[T]]) -> T:
        if self._in_transaction:
            return await self._take_step(sql, run)
        self.begin()
        try:
            answer = await self._take_step(sql, run)
        except BaseException:
            await self.end("ROLLBACK")
            raise
        await self.end("COMMIT")
        return answer

    async def _take_step(self, sql: str, run: Callable[[], Awaitable[T]]) -> T:
        await self.turns.take(NAMES.get(sql, "effect"))
        if not self._begun:
            self._begun = True
            await self._connection.execute("BEGIN")
        return await run()


class GatedPool:
    """As much of asyncpg's pool as the store uses, with one connection."""

    def __init__(self, connection: GatedConnection) -> None:
        self._connection = connection

    def get_max_size(self) -> int:
        return 10

    async def acquire(self) -> GatedConnection:
        return self._connection

    async def release(self, _connection: object) -> None:
        pass
