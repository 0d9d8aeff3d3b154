"""Where PostgreSQL and Redis are: given by URL, described by the running stack of the home, or embedded for now.

Refuses one URL without the other, since a half-embedded stack would fail in two ways at once. Invariant: embedded
servers that a command started for itself stay until the commands that joined them are done.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import structlog

from tournee.bootstrap.home import check_home
from tournee.bootstrap.locks import LockHeld, hold_lock, take_lock_when_free
from tournee.bootstrap.stack_file import COMMAND, NO_POOLER, StackFile, read_stack, remove_stack, write_stack
from tournee.embedded import EmbeddedServers, HomeInUse, ServersConfig
from tournee.kit.errors import SetupError
from tournee.settings import Settings

log = structlog.get_logger(__name__)

RETRY_SECONDS = 0.5
CHANGE_SECONDS = 30.0
"""How long another process may take to start or end the servers of a home."""


@dataclass(frozen=True, slots=True)
class Stores:
    """URLs of both stores.

    `stack`: the running stack that they belong to, if another process runs one. `embedded`: started by this process,
    so that their database is ours to set up. `pooler`: what the database's URL leads through.
    """

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    stack: StackFile | None = None
    embedded: bool = False
    pooler: str = NO_POOLER


def describe_self(role: str, stores: Stores, **more: object) -> StackFile:
    """The stack that this process runs."""
    return StackFile(
        pid=os.getpid(),
        started=psutil.Process().create_time(),
        role=role,
        database_url=stores.database_url,
        redis_url=stores.redis_url,
        pooler=stores.pooler,
        **more,  # type: ignore[arg-type]
    )


def find_stores(settings: Settings) -> Stores | None:
    """The stores that the environment names, else those of the home's running stack; None: neither, so embedded.

    Raises `SetupError` for one URL without the other. A running stack on other stores than the given is not ours.
    """
    database, redis = settings.database_url, settings.redis_url
    stack = read_stack(settings.home)
    if database is None and redis is None:
        return Stores(stack.database_url, stack.redis_url, stack, pooler=stack.pooler) if stack is not None else None
    if database is None or redis is None:
        names = ("TOURNEE_DATABASE_URL", "TOURNEE_REDIS_URL")
        missing, present = names if database is None else reversed(names)
        raise SetupError(f"{present} is set and {missing} is not: set both, or neither for embedded servers")
    given = (database.get_secret_value(), redis.get_secret_value())
    same = stack is not None and given == (stack.database_url, stack.redis_url)
    return Stores(*given, stack if same else None, pooler=settings.database_pooler)


@asynccontextmanager
async def open_stores(settings: Settings, role: str) -> AsyncIterator[Stores]:
    """The stores of this home: given, or of its running stack, or embedded for as long as this is open."""
    async with AsyncExitStack() as last, AsyncExitStack() as held:
        stores = await _find_or_start(settings, role, held)
        yield stores
        if role == COMMAND and stores.embedded:
            # Kept until the servers are stopped and no longer described, so that nobody joins what is ending.
            await take_lock_when_free(_joined_path(settings.home), last)


async def _find_or_start(settings: Settings, role: str, held: AsyncExitStack) -> Stores:
    """Another process may be starting or ending the servers of this home at this moment: then look again."""
    deadline = time.monotonic() + CHANGE_SECONDS
    while True:
        try:
            found = find_stores(settings)
            if found is None:
                return await held.enter_async_context(open_embedded(settings.home, role))
            if found.stack is not None and not found.stack.lasts:
                held.enter_context(hold_lock(_joined_path(settings.home), shared=True))
            return found
        except (HomeInUse, LockHeld):
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(RETRY_SECONDS)


@asynccontextmanager
async def open_embedded(home: Path, role: str) -> AsyncIterator[Stores]:
    """Start the embedded servers, describe them in the home, and keep them alive until the end."""
    check_home(home)
    async with EmbeddedServers(home, ServersConfig()) as servers:
        stores = Stores(servers.addresses.database_url, servers.addresses.redis_url, embedded=True)
        write_stack(home, describe_self(role, stores))
        keeper = asyncio.create_task(_keep_alive(servers))
        try:
            yield stores
        finally:
            remove_stack(home)
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper


def _joined_path(home: Path) -> Path:
    return home / "run" / "joined.lock"


async def _keep_alive(servers: EmbeddedServers) -> None:
    """Bring a server back that died, on the same address."""
    while True:
        server = await servers.wait_died()
        log.warning("an embedded server died and is started again", server=server.title)
        try:
            await server.start()
        except SetupError as error:
            log.error("an embedded server does not start", reason=str(error))  # noqa: TRY400 - the message says all
            await asyncio.sleep(RETRY_SECONDS)
