"""The connection pool and the session rules that every connection keeps.

Each session bounds how long it may wait for a lock, idle inside a transaction or talk to a dead peer, all below
the engine's lease, so that a stuck process never holds a row longer than it may hold a job. Nothing depends on
session state beyond these settings, so PgBouncer in transaction mode works when asked for (`through_bouncer`): the
rules are then kept by each transaction, and no statement is prepared by name.
"""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import asyncpg

from tournee.db.bouncer import BouncedConnection
from tournee.db.ending import CandidConnection

if TYPE_CHECKING:
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = asyncpg.Connection

UNAVAILABLE: tuple[type[Exception], ...] = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.DiskFullError,
    asyncpg.OutOfMemoryError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    # After a fail-over the old address may lead to a standby; no statement that writes is to blame for that.
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.PostgresIOError,
)
"""What means that PostgreSQL is not there, or not now: nothing is known about what it executed."""

CONTENDED: tuple[type[Exception], ...] = (
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.SerializationError,
    asyncpg.QueryCanceledError,
)
"""What means that another session was in the way: the transaction rolled back and may be run again."""


IDLE_IN_TRANSACTION_SECONDS = 4.0
"""After so long without a statement PostgreSQL ends a session that has a transaction open."""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How many connections, and how long each may wait; times in seconds."""

    database_url: str
    min_size: int = 2
    max_size: int = 10
    connect_timeout_seconds: float = 5.0
    command_timeout_seconds: float = 30.0
    lock_timeout_seconds: float = 3.0
    idle_in_transaction_timeout_seconds: float = IDLE_IN_TRANSACTION_SECONDS
    tcp_user_timeout_seconds: float = 4.0
    application_name: str = "tournee"
    through_bouncer: bool = False


async def _prepare_connection(connection: asyncpg.Connection[Any]) -> None:
    # A type of pg_catalog that the driver knows: no statement is sent for it.
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


def _bound_silence(connection: asyncpg.Connection[Any], seconds: float) -> None:
    """Our half of `tcp_user_timeout`: the kernel gives up a peer that acknowledges nothing for so long, whether we send
    or wait for an answer. The driver alone would wait for a host that is gone until its command times out.
    """
    kept: socket.socket | None = cast("Any", connection)._transport.get_extra_info("socket")
    if kept is None or kept.family == socket.AF_UNIX or not hasattr(socket, "TCP_USER_TIMEOUT"):
        return
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
        kept.setsockopt(socket.IPPROTO_TCP, option, 1)
    kept.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))


async def _keep_session(_connection: object) -> None:
    """A connection goes back without the driver's reset statement, which would cost each use a round trip. The driver
    has ended an open transaction by then; nobody here sets session state, so there is nothing else to undo.
    """


async def open_pool(settings: PoolSettings) -> Pool:
    """Open a pool; jsonb travels as Python objects. Raises one of `UNAVAILABLE`, or asyncpg's error for a refusal."""
    rules, bounced = _list_rules(settings), settings.through_bouncer

    async def prepare(connection: asyncpg.Connection[Any]) -> None:
        await _prepare_connection(connection)
        _bound_silence(connection, settings.tcp_user_timeout_seconds)
        if bounced:
            # Not asked with isinstance: the driver's metaclass says yes for each of its connections.
            cast("BouncedConnection", connection).bound_transactions(rules)

    pool = await asyncpg.create_pool(
        settings.database_url,
        min_size=settings.min_size,
        max_size=settings.max_size,
        timeout=settings.connect_timeout_seconds,
        command_timeout=settings.command_timeout_seconds,
        statement_cache_size=0 if bounced else 512,
        connection_class=BouncedConnection if bounced else CandidConnection,
        init=prepare,
        reset=_keep_session,
        server_settings={
            "application_name": settings.application_name,
            "timezone": "UTC",
            # PgBouncer knows the two above, keeps them for each client, and refuses a client that names another.
            **({} if bounced else {**rules, "tcp_user_timeout": _milliseconds(settings.tcp_user_timeout_seconds)}),
        },
    )
    assert pool is not None
    return pool


def _list_rules(settings: PoolSettings) -> Mapping[str, str]:
    return {
        "lock_timeout": _milliseconds(settings.lock_timeout_seconds),
        "idle_in_transaction_session_timeout": _milliseconds(settings.idle_in_transaction_timeout_seconds),
        # A statement that was given up runs on in the server, with its locks, until its connection is looked at.
        "client_connection_check_interval": "1s",
        # JIT compiles for longer than any of our statements runs.
        "jit": "off",
        # Every statement has its index. What was planned while a table was small or never analysed must not
        # read the whole of it when it has grown.
        "enable_seqscan": "off",
    }


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))


async def keeps_rules(pool: Pool, settings: PoolSettings) -> bool:
    """Whether the bounds arrive: what stands between may drop parameters that it was told to ignore."""
    kept = await pool.fetchval("SELECT setting FROM pg_catalog.pg_settings WHERE name = 'lock_timeout'")
    return bool(kept == _list_rules(settings)["lock_timeout"])


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """A connection with an open READ COMMITTED transaction: committed at the end, rolled back on any exception."""
    async with pool.acquire() as connection, connection.transaction():
        yield connection
