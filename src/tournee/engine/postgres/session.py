"""How this room talks to PostgreSQL: the pool, the SQL texts, and the two errors that leave it.

Owns the translation of asyncpg's exceptions into `LedgerUnavailable` and `LedgerContended`; no other module of
the engine knows asyncpg's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from typing import Any

import asyncpg

from tournee.db.pool import CONTENDED, IDLE_IN_TRANSACTION_SECONDS, UNAVAILABLE, Connection, Pool
from tournee.db.queries import load_queries
from tournee.engine.core.job import AGEING_INTERVAL, DispatchId, QueueName
from tournee.engine.ports import (
    NOBODY,
    CommitUnknown,
    LedgerContended,
    LedgerUnavailable,
    Observer,
    TransactionOverdue,
)
from tournee.engine.postgres.patience import Patience

SQL = load_queries("tournee.engine.postgres")
AGEING = AGEING_INTERVAL


RESERVED_CONNECTIONS = 3
"""Of the pool, for heartbeat, claims and settling."""

HANGING = (asyncio.CancelledError, TimeoutError)

DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

OVERDUE = (
    TimeoutError,
    asyncpg.QueryCanceledError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
)
"""What says that it was the time that ran out."""


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn asyncpg's connection and lock errors into the engine's, for a call that only talks to PostgreSQL."""
    try:
        yield
    except CONTENDED as error:
        raise LedgerContended(str(error)) from error
    except UNAVAILABLE as error:
        raise LedgerUnavailable(str(error) or type(error).__name__) from error


def translate_body_error(error: BaseException, lost: bool, idled: bool = False) -> BaseException:
    """An exception that a caller's code raised inside a transaction; only PostgreSQL's own are translated.

    An OSError there may well be the caller's own file, and must not pass for an outage of the ledger; nor may the
    driver's complaint about a wrong call, as long as the connection is not `lost`: such a job would run for ever.
    PostgreSQL ends a session that idles, and nobody tells the driver why: one that is lost and may have `idled` is
    taken for overdue.
    """
    if isinstance(error, OVERDUE) and (isinstance(error, DRIVER_ERRORS) or _is_raised_by_driver(error)):
        return TransactionOverdue(str(error) or "a statement was not answered in its time")
    if isinstance(error, CONTENDED):
        return LedgerContended(str(error))
    if isinstance(error, (asyncpg.InterfaceError, asyncpg.InternalClientError)) and not lost:
        return error
    if isinstance(error, UNAVAILABLE) and (isinstance(error, DRIVER_ERRORS) or _is_raised_by_driver(error)):
        kind = TransactionOverdue if lost and idled else LedgerUnavailable
        return kind(str(error) or type(error).__name__)
    return error


def _is_raised_by_driver(error: BaseException) -> bool:
    """Whether a TimeoutError or an OSError came out of a statement, and not out of the caller's own work."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and str(trace.tb_frame.f_globals.get("__name__", "")).startswith("asyncpg.")


class Session:
    """Runs statements on the pool: alone, or many in one transaction.

    `handlers` bounds the connections that handlers may hold, so that heartbeat and settling never wait behind them.
    What is `prompt` is given up before the lease is over: short statements of the engine's own, after which it asks.
    `on_enqueued` is called with the queues of what a transaction of this process enqueued and committed.
    """

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.patience = Patience()
        self.handlers = asyncio.Semaphore(max(1, pool.get_max_size() - RESERVED_CONNECTIONS))
        self.on_enqueued: Callable[[AbstractSet[QueueName]], None] = lambda _: None
        self.observer: Observer = NOBODY

    @asynccontextmanager
    async def transaction(self, prompt: str = "") -> AsyncIterator[Connection]:
        """A connection with an open transaction, committed at the end; `prompt` names one that is short.

        Raises `CommitUnknown` where the answer to the COMMIT was lost. A caller's exception rolls back and passes.
        """
        async with self._bound(prompt, bool(prompt)), self._hold_connection() as connection:
            open_transaction = connection.transaction()
            with translated_errors():
                # Whatever follows, a BEGIN is short, and the first that a silent peer leaves unanswered.
                async with self.patience.bound("BEGIN"):
                    await open_transaction.start()
            began = time.monotonic()
            try:
                yield connection
            except BaseException as error:
                idled = time.monotonic() - began >= IDLE_IN_TRANSACTION_SECONDS
                translated = translate_body_error(error, _is_lost(connection), idled)
                await _roll_back(connection, open_transaction, error)
                if translated is error:
                    raise
                raise translated from error
            await _commit(open_transaction)

    async def fetch(self, sql: str, *arguments: Any, prompt: bool = False) -> list[Any]:
        async with self._bound(sql, prompt), self._hold_connection() as connection:
            with translated_errors():
                return list(await connection.fetch(sql, *arguments))

    async def fetch_row(self, sql: str, *arguments: Any, prompt: bool = False) -> Any:
        async with self._bound(sql, prompt), self._hold_connection() as connection:
            with translated_errors():
                return await connection.fetchrow(sql, *arguments)

    async def fetch_value(self, sql: str, *arguments: Any, prompt: bool = False) -> Any:
        async with self._bound(sql, prompt), self._hold_connection() as connection:
            with translated_errors():
                return await connection.fetchval(sql, *arguments)

    async def execute(self, sql: str, *arguments: Any, prompt: bool = False) -> None:
        async with self._bound(sql, prompt), self._hold_connection() as connection:
            with translated_errors():
                await connection.execute(sql, *arguments)

    def _bound(self, name: str, prompt: bool) -> AbstractAsyncContextManager[None]:
        return self.patience.bound(name) if prompt else nullcontext()

    @asynccontextmanager
    async def _hold_connection(self) -> AsyncIterator[Connection]:
        with translated_errors():
            try:
                connection = await self.pool.acquire()
            except asyncpg.PostgresError as error:
                # Whatever it is that refuses us a connection, no statement of anybody is to blame.
                raise LedgerUnavailable(str(error)) from error
        try:
            yield connection
        except BaseException as error:
            _drop_if_hanging(connection, error)
            raise
        finally:
            # A connection that was cut can't be given back politely; the pool drops it, and the outcome stands.
            with suppress(*UNAVAILABLE):
                await self.pool.release(connection)


def columns(ids: Sequence[DispatchId]) -> tuple[list[int], list[int]]:
    """Ids and dispatch numbers as two arrays for unnest."""
    return [i.job_id for i in ids], [i.dispatch for i in ids]


def _is_lost(connection: Connection) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        # The pool takes a connection back by itself when it is cut.
        return True


def _drop_if_hanging(connection: Connection, error: BaseException) -> bool:
    """Close a connection whose statement was given up: by us, or by the driver after its time-out.

    Given back politely it would first be waited for until the server has confirmed the cancellation, for as long as a
    command may take; on a connection that hangs that is the whole time-out, and a heartbeat that was given up after two
    seconds would keep the next ones waiting. The server rolls back when it finds the connection closed.
    """
    if not isinstance(error, HANGING) and not isinstance(error.__cause__, HANGING):
        return False
    with suppress(*UNAVAILABLE):
        connection.terminate()
    return True


async def _roll_back(
    connection: Connection, open_transaction: asyncpg.transaction.Transaction, error: BaseException
) -> None:
    if not _drop_if_hanging(connection, error):
        with suppress(*UNAVAILABLE, *CONTENDED):
            await open_transaction.rollback()


async def _commit(open_transaction: asyncpg.transaction.Transaction) -> None:
    try:
        await open_transaction.commit()
    except CONTENDED as error:
        raise LedgerContended(str(error)) from error
    except UNAVAILABLE as error:
        raise CommitUnknown(str(error) or type(error).__name__) from error
