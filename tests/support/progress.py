"""Waiting for how far the pipeline is, by what its tables say."""

from __future__ import annotations

import asyncio

import asyncpg

COUNT_SENT = "SELECT count(*) FROM news.deliveries WHERE state = 'sent'"


async def wait_for_notified(database_url: str, number: int, seconds: float = 300.0) -> None:
    """Wait until so many alerts were sent."""
    connection = await asyncpg.connect(database_url)
    try:
        async with asyncio.timeout(seconds):
            # What happens in other processes can only be asked for.
            while await connection.fetchval(COUNT_SENT) < number:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        await connection.close()
