"""What injectors have in common: how one looks, how it says that it found no occasion, how jobs are slipped in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta

import asyncpg

from tests.chaos.fleet import Member
from tests.chaos.plan import PlannedFault
from tests.chaos.stage import Stage
from tournee.engine.client import Payload
from tournee.engine.postgres.enqueue import EnqueueTransaction

Injector = Callable[[Stage, PlannedFault], Awaitable[str]]
"""Returns when the fault is over, with what exactly was done."""


class Missed(Exception):
    """There was no occasion: the process did not come by the point, or died of another fault."""


def require(struck: object, why_not: str) -> None:
    """A fault that found nobody counts for nothing."""
    if not struck:
        raise Missed(why_not)


async def read_count(stage: Stage, query: str) -> int:
    """One number out of the ledger."""
    async with stage.connect() as connection:
        return int(await connection.fetchval(query) or 0)


async def wait_until_more(stage: Stage, query: str, than: int, seconds: float) -> int:
    """By how much a number of the ledger has grown, as soon as it has; 0 when the time is over."""
    until = time.monotonic() + seconds
    while True:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            if (now := await read_count(stage, query)) > than:
                return now - than
        if time.monotonic() > until:
            return 0
        await asyncio.sleep(0.1)


class Broken(Exception):
    """The fault caused what it must not cause."""


def list_victims(stage: Stage, fault: PlannedFault) -> list[Member]:
    """The workers, in the order in which the plan tries them."""
    return [stage.workers[number] for number in fault.victims]


async def reach_first(members: Sequence[Member], point: str, *, freezes: bool, seconds: float = 3.0) -> Member:
    """The first of these that comes by a point and stands there."""
    for member in members:
        if await member.reach(point, freezes=freezes, seconds=seconds):
            return member
    raise Missed(f"nobody came by {point}")


async def slip_in(stage: Stage, payloads: Sequence[Payload], delay: timedelta = timedelta(0)) -> None:
    """Enqueue past the proxies, and say so in the journal."""
    async with stage.open_pool() as pool, pool.acquire() as connection, connection.transaction():
        await EnqueueTransaction(connection).enqueue_many(payloads, delay=delay)
    for payload in payloads:
        stage.journal.note_acknowledged(type(payload).queue_name, [payload.key()])
