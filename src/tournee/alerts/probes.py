"""Small looks at PostgreSQL, Redis and the disk, over connections of their own.

Each look opens a fresh connection and closes it: a server that is stopped still serves connections that it has, and
accepts no other. Nothing is shared with the pools of the program, which may be exhausted or hang.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

PERCENT = 100


class PostgresqlProbe:
    """Connects and asks `SELECT 1`. A server that has no free connection answers, too."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def look(self) -> None:
        import asyncpg  # noqa: PLC0415 - an application that has no database of ours needs none of it

        name = {"application_name": "tournee-probe"}
        try:
            connection = await asyncpg.connect(self._url, timeout=60, server_settings=name)
        except asyncpg.TooManyConnectionsError:
            return
        try:
            # Without arguments nothing is prepared, so that it may be PgBouncer which answers.
            await connection.execute("SELECT 1")
        finally:
            # Not asked politely: a server that hangs would not answer.
            connection.terminate()

    async def close(self) -> None:
        """Nothing is held."""


class RedisProbe:
    """Connects and asks PING; also for a server that is loading its data or out of memory: those are answers."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def look(self) -> None:
        from redis.asyncio import Redis  # noqa: PLC0415 - see above
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415

        client = Redis.from_url(self._url, retry=Retry(NoBackoff(), 0), socket_connect_timeout=60, socket_timeout=60)
        try:
            await client.ping()  # type: ignore[misc]  # The client's own annotation is of its blocking twin.
        finally:
            await client.connection_pool.disconnect()

    async def close(self) -> None:
        """Nothing is held."""


class DiskProbe:
    """How much of a folder's disk is free."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def read_free_percent(self) -> float:
        """Of the nearest folder that exists, in percent. Raises OSError."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> float:
        nearest = next(folder for folder in (self._folder, *self._folder.parents) if folder.exists())
        usage = shutil.disk_usage(nearest)
        return PERCENT * usage.free / max(1, usage.total)
