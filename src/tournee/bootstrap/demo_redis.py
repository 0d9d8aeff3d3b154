"""The demo's button: the loss of Redis, whole and sudden."""

from __future__ import annotations

from contextlib import suppress

import redis.asyncio as redis_asyncio
from redis.exceptions import RedisError


async def kill_redis(url: str) -> None:
    """FLUSHALL and the end of the server, without saving: the supervisor brings an empty one back. The demo only."""
    client = redis_asyncio.Redis.from_url(url, socket_timeout=2.0)
    try:
        await client.flushall()
        with suppress(RedisError, OSError):
            await client.shutdown(nosave=True, now=True, force=True)
    finally:
        await client.aclose()
