"""One group of connections to Redis, and the conversation on them.

Owns two promises: nothing is ever sent twice by the client (retries are off, because a repeated pipeline of
fetches would fetch as many jobs again), and no connection returns to its pool half-read: whatever interrupts a
conversation, cancellation included, closes it.

A deadline spans the whole round trip, waiting for a free connection included. It stands in for socket time-outs,
which would grant every single reply of a long pipeline the full time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from tournee.engine.bullmq.faults import unavailable
from tournee.engine.ports import BrokerMisconfigured, BrokerUnavailable

Reply = Any
"""What the server answered, undecoded; a `ResponseError` where it refused the command."""


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """How a channel connects. `client_name` is what CLIENT LIST and Bull Board show."""

    redis_url: str
    timeout_seconds: float
    connect_timeout_seconds: float
    connections: int
    client_name: str | None = None


class Channel:
    """Sends packed commands and reads their replies, several conversations at a time up to `connections`."""

    def __init__(self, config: ChannelConfig) -> None:
        """Opens nothing yet. Raises `BrokerMisconfigured` for a URL that is none."""
        self._timeout_seconds = config.timeout_seconds
        self._slots = asyncio.Semaphore(config.connections)
        self._closed = False
        self._pool = _make_pool(config)

    async def execute(self, commands: Sequence[bytes], *, block_seconds: float = 0.0) -> list[Reply]:
        """One round trip: a reply for each command, in order, a refusal as a `ResponseError` in its place.

        Raises `BrokerUnavailable` for a fault of the connection or when the deadline (plus `block_seconds`)
        passes; then nothing is known about what was executed.
        """
        try:
            async with asyncio.timeout(self._timeout_seconds + block_seconds), self._slots:
                return await self._converse(commands)
        except (RedisError, OSError) as error:
            raise unavailable(error) from error

    async def close(self) -> None:
        """Close every connection, those in use too; their conversations end with `BrokerUnavailable`."""
        self._closed = True
        await self._pool.disconnect(inuse_connections=True)

    async def _converse(self, commands: Sequence[bytes]) -> list[Reply]:
        if self._closed:
            raise BrokerUnavailable("the broker is closed")
        connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            await _send_packed(connection, b"".join(commands))
            return [await _read_reply(connection) for _ in commands]
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        finally:
            await self._pool.release(connection)


async def _send_packed(connection: AbstractConnection, packed: bytes) -> None:
    try:
        await connection.send_packed_command(packed, check_health=False)
    except RuntimeError as error:
        # uvloop's answer to a write on a transport that was closed meanwhile.
        raise ConnectionError(str(error)) from error


async def _read_reply(connection: AbstractConnection) -> Reply:
    try:
        return await connection.read_response(disable_decoding=True)
    except ResponseError as error:
        return error


def _make_pool(config: ChannelConfig) -> ConnectionPool:
    try:
        pool: ConnectionPool = ConnectionPool.from_url(config.redis_url, max_connections=config.connections)
    except ValueError:
        # The parser's own words may quote a part of the password, so they are not passed on.
        raise BrokerMisconfigured(
            "The Redis URL can't be read. It must look like redis://user:password@host:port/0,"
            " with special characters in the password percent-encoded."
        ) from None
    # What the URL's query says must not bring retries or time-outs back.
    pool.connection_kwargs.update(
        client_name=config.client_name,
        socket_timeout=None,
        socket_connect_timeout=config.connect_timeout_seconds,
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
        retry_on_timeout=False,
        health_check_interval=0,
        protocol=2,
        decode_responses=False,
    )
    if "path" not in pool.connection_kwargs:
        pool.connection_kwargs["socket_keepalive"] = True
    return pool
