"""Where PostgreSQL and Redis are: given by URL, described by the running stack of the home, or embedded for now.

Owns `run/stack.json` (mode 0600: it holds passwords and the console's token). Refuses one URL without the other, since
a half-embedded stack would fail in two ways at once.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil
import structlog

from tournee.embedded import EmbeddedServers, ServersConfig
from tournee.kit.errors import SetupError
from tournee.settings import Settings

log = structlog.get_logger(__name__)

START_TIME_SLACK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class StackFile:
    """What a running stack says of itself. `pid` and `started` together name one process and no later one."""

    pid: int
    started: float
    role: str
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    access_token: str = field(default="", repr=False)
    web_url: str = ""
    addresses: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stores:
    """URLs of both stores, and the stack they belong to (None: given by URL)."""

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    stack: StackFile | None = None


def _stack_path(home: Path) -> Path:
    return home / "run" / "stack.json"


def read_stack(home: Path) -> StackFile | None:
    """The stack that serves this home now; None where there is none, or its process is gone."""
    try:
        content = json.loads(_stack_path(home).read_text(encoding="utf-8"))
        stack = StackFile(**content)
        process = psutil.Process(stack.pid)
        alive = abs(process.create_time() - stack.started) < START_TIME_SLACK_SECONDS
        return stack if alive and process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, TypeError, psutil.Error):
        return None


def write_stack(home: Path, stack: StackFile) -> None:
    """Replace the description in one step, readable by this user only."""
    path = _stack_path(home)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        json.dump(asdict(stack), handle)
    temporary.replace(path)


def remove_stack(home: Path) -> None:
    """Forget the description, if it is ours."""
    stack = read_stack(home)
    if stack is not None and stack.pid == os.getpid():
        with suppress(OSError):
            _stack_path(home).unlink()


def describe_self(role: str, stores: Stores, **more: object) -> StackFile:
    """The stack that this process runs."""
    return StackFile(
        pid=os.getpid(),
        started=psutil.Process().create_time(),
        role=role,
        database_url=stores.database_url,
        redis_url=stores.redis_url,
        **more,  # type: ignore[arg-type]
    )


def read_given_stores(settings: Settings) -> Stores | None:
    """The stores that the environment names; None: neither. Raises `SetupError` for one without the other."""
    database, redis = settings.database_url, settings.redis_url
    if database is None and redis is None:
        return None
    if database is None or redis is None:
        missing = "TOURNEE_DATABASE_URL" if database is None else "TOURNEE_REDIS_URL"
        raise SetupError(f"{missing} is not set, its companion is: set both, or neither for embedded servers")
    return Stores(database.get_secret_value(), redis.get_secret_value())


@asynccontextmanager
async def open_stores(settings: Settings, role: str) -> AsyncIterator[Stores]:
    """The stores of this home: given, or of its running stack, or embedded for as long as this is open."""
    given = read_given_stores(settings)
    stack = read_stack(settings.home)
    if given is not None:
        yield given
    elif stack is not None:
        yield Stores(stack.database_url, stack.redis_url, stack)
    else:
        async with open_embedded(settings.home, role) as stores:
            yield stores


@asynccontextmanager
async def open_embedded(home: Path, role: str) -> AsyncIterator[Stores]:
    """Start the embedded servers, describe them in the home, and keep them alive until the end."""
    async with EmbeddedServers(home, ServersConfig()) as servers:
        stores = Stores(servers.addresses.database_url, servers.addresses.redis_url)
        write_stack(home, describe_self(role, stores))
        keeper = asyncio.create_task(_keep_alive(servers))
        try:
            yield stores
        finally:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper
            remove_stack(home)


async def _keep_alive(servers: EmbeddedServers) -> None:
    """Bring a server back that died, on the same address."""
    while True:
        server = await servers.wait_died()
        log.warning("an embedded server died and is started again", server=type(server).__name__)
        try:
            await server.start()
        except SetupError as error:
            log.error("an embedded server does not start", error=str(error))  # noqa: TRY400 - the message says all
            await asyncio.sleep(1.0)
