"""The API process: JSON, console, hooks, and the board's sidecar beside it.

Keeps: it starts while Redis is away and recovers by itself; it listens only once PostgreSQL is there with the right
schema. Where `up` supervises it, it listens on exactly the address that `up` has told, with `up`'s token.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from tournee import __version__
from tournee.bootstrap.board import open_board
from tournee.bootstrap.demo_redis import kill_redis
from tournee.bootstrap.logs import configure_logs
from tournee.bootstrap.schema import check_schema, wait_for_schema
from tournee.bootstrap.services import Services, look_at_redis, open_services
from tournee.bootstrap.stack_file import StackFile
from tournee.bootstrap.stopping import run_until, serve_forever
from tournee.bootstrap.stores import open_stores
from tournee.bootstrap.web_address import bind_patiently, build_base, choose_port
from tournee.pipeline.store.console import ConsoleStore
from tournee.reports import Address
from tournee.settings import Settings
from tournee.web.app import create_app
from tournee.web.ports import WebServices
from tournee.web.server import WebServer

DEMO_ROLE = "demo"

Announce = Callable[[Sequence[Address]], None]


async def run_api(settings: Settings, *, announce: Announce, stop: asyncio.Event) -> None:
    """API, console and hooks only, until `stop` is set."""
    configure_logs(settings)
    await run_until(stop, _run_api(settings, announce))


async def _run_api(settings: Settings, announce: Announce) -> None:
    async with open_stores(settings, "api") as stores:
        if stores.embedded:
            await check_schema(stores, migrate=True)
        else:
            await wait_for_schema(stores)
        async with open_services(settings, stores, maintains=False) as services:
            await look_at_redis(services)
            await services.engine.start()
            try:
                await _serve_web(services, announce)
            finally:
                await services.engine.stop()


async def _serve_web(services: Services, announce: Announce) -> None:
    settings, stores = services.settings, services.stores
    up = find_own_up(stores.stack)
    token = up.access_token if up else secrets.token_urlsafe(32)
    port = _read_port(up) if up else choose_port(settings.web_host, settings.web_port, settings.board_port)
    sock = await bind_patiently(settings.web_host, port)
    async with open_board(settings, stores) as board:
        app = create_app(
            WebServices(
                engine=services.engine,
                console=ConsoleStore(services.pool),
                search=services.index,
                access_token=token,
                ports=[port],
                board=board,
                kill_redis=_choose_kill(up),
                version=__version__,
            )
        )
        server = WebServer(app, sock)
        await server.start()
        base = build_base(settings.web_host, port)
        # Where `up` supervises, this goes into a log, and the token is `up`'s to tell.
        door = f"{base}/" if up else f"{base}/enter?token={token}"
        announce([Address("console", door), Address("board", f"{base}/board/")])
        try:
            await _first(serve_forever(), server.wait())
        finally:
            await server.stop()


def find_own_up(stack: StackFile | None) -> StackFile | None:
    """The stack whose console this process is; None for an API beside it, or without one."""
    return stack if stack is not None and stack.web_url and stack.supervises_us else None


def _read_port(up: StackFile) -> int:
    port = urlsplit(up.web_url).port
    assert port is not None
    return port


def _choose_kill(up: StackFile | None) -> Callable[[], Awaitable[None]] | None:
    if up is None or up.role != DEMO_ROLE:
        return None
    url = up.redis_url
    return lambda: kill_redis(url)


async def _first(*waits: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
