"""The API process: JSON, console, hooks, and the board's sidecar beside it.

Keeps: it starts while PostgreSQL or Redis is away and recovers by itself; until PostgreSQL is there with the right
schema it answers 503 to everything and says why. Where `up` supervises it, it listens on exactly the address that `up`
has told, on `up`'s own socket and with `up`'s token.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tournee import __version__
from tournee.alerts import AlertMiddleware, Alerts
from tournee.bootstrap.alerting import open_alerts
from tournee.bootstrap.board import open_board
from tournee.bootstrap.demo_redis import kill_redis
from tournee.bootstrap.logs import configure_logs
from tournee.bootstrap.schema import check_schema, wait_for_schema
from tournee.bootstrap.services import Services, look_at_redis, open_services
from tournee.bootstrap.stack_file import StackFile
from tournee.bootstrap.stopping import run_until, serve_forever
from tournee.bootstrap.stores import Stores, open_stores
from tournee.bootstrap.web_address import bind_patiently, build_base, choose_port, take_over
from tournee.kit.errors import SetupError
from tournee.pipeline.store.console import ConsoleStore
from tournee.reports import Address
from tournee.settings import Settings
from tournee.web.app import create_app
from tournee.web.ports import WebServices
from tournee.web.server import WebServer
from tournee.web.waiting import answer_unavailable

if TYPE_CHECKING:
    from tournee.bootstrap.telemetry import Telemetry

DEMO_ROLE = "demo"
WAITING_PAGE_SECONDS = 1.0
"""How long the start may take before callers are told that it does."""

Announce = Callable[[Sequence[Address]], None]


async def run_api(settings: Settings, *, announce: Announce, stop: asyncio.Event) -> None:
    """API, console and hooks only, until `stop` is set."""
    configure_logs(settings)
    await run_until(stop, _run_api(settings, announce))


async def _run_api(settings: Settings, announce: Announce) -> None:
    async with open_stores(settings, "api") as stores:
        door = await _open_door(settings, stores)
        with closing(door.sock):
            await _open_house(settings, stores, door, announce)


async def _open_house(settings: Settings, stores: Stores, door: _Door, announce: Announce) -> None:
    # Commands import this module too, and have no use for metrics.
    from tournee.bootstrap.telemetry import open_telemetry  # noqa: PLC0415

    async with open_alerts(settings, "api", stores, console_url=door.base) as alerts:
        await _wait_behind(door, alerts, _prepare_schema(stores))
        async with (
            open_telemetry(settings, "api") as telemetry,
            open_services(settings, stores, maintains=False, telemetry=telemetry, alerts=alerts) as services,
            telemetry.tell_of_system(services.engine, services.pool),
        ):
            await look_at_redis(services)
            await services.engine.start()
            try:
                await _serve_web(services, telemetry, alerts, door, announce)
            finally:
                await services.engine.stop()


@dataclass(frozen=True, slots=True)
class _Door:
    """Where the web is reached: taken before anything else, so that there is an answer from the start."""

    sock: socket.socket
    port: int
    base: str
    token: str = field(repr=False)
    up: StackFile | None


async def _open_door(settings: Settings, stores: Stores) -> _Door:
    up = find_own_up(stores.stack)
    token = up.access_token if up else secrets.token_urlsafe(32)
    port = _read_port(up) if up else choose_port(settings.web_host, settings.web_port, settings.board_port)
    sock = take_over(up.web_descriptor, port) if up else None
    sock = sock or await bind_patiently(settings.web_host, port)
    return _Door(sock, port, build_base(settings.web_host, port), token, up)


async def _prepare_schema(stores: Stores) -> None:
    if stores.embedded:
        await check_schema(stores, migrate=True)
    else:
        await wait_for_schema(stores)


async def _wait_behind(door: _Door, alerts: Alerts, work: Coroutine[object, object, None]) -> None:
    """Do the work; if it takes longer than a moment, because PostgreSQL is away, answer 503 until it is done."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=WAITING_PAGE_SECONDS)
        if not task.done():
            # On a socket of its own that shares the port: closing it leaves the door open.
            server = WebServer(AlertMiddleware(answer_unavailable, alerts.monitor), door.sock.dup())
            await server.start()
            try:
                await asyncio.wait({task})
            finally:
                await server.stop()
        await task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, SetupError):
            await task


async def _serve_web(services: Services, telemetry: Telemetry, alerts: Alerts, door: _Door, announce: Announce) -> None:
    settings, stores, up = services.settings, services.stores, door.up
    async with open_board(settings, stores) as board:
        app = create_app(
            WebServices(
                engine=services.engine,
                console=ConsoleStore(services.pool),
                search=services.index,
                access_token=door.token,
                ports=[door.port],
                board=board,
                kill_redis=_choose_kill(up),
                version=__version__,
                metrics=telemetry.exposition,
                metrics_token=telemetry.token,
            )
        )
        telemetry.watch_requests(app)
        app.add_middleware(AlertMiddleware, monitor=alerts.monitor)
        server = WebServer(app, door.sock)
        await server.start()
        # Where `up` supervises, this goes into a log, and the token is `up`'s to tell.
        link = f"{door.base}/" if up else f"{door.base}/enter?token={door.token}"
        announce([Address("console", link), Address("board", f"{door.base}/board/")])
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
