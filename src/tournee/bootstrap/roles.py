"""The processes that serve: API, worker, sandbox, and `up`, which supervises them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import structlog

from tournee import __version__
from tournee.bootstrap.board import open_board
from tournee.bootstrap.demo_redis import kill_redis
from tournee.bootstrap.logs import configure_logs
from tournee.bootstrap.services import Services, check_schema, open_services
from tournee.bootstrap.stack import worker_settings
from tournee.bootstrap.stores import (
    Stores,
    describe_self,
    open_embedded,
    open_stores,
    read_given_stores,
    read_stack,
    remove_stack,
    write_stack,
)
from tournee.bootstrap.supervisor import Role, Supervisor
from tournee.engine.client import Engine
from tournee.kit.errors import SetupError
from tournee.kit.ports import find_free_port, is_port_free
from tournee.pipeline.store.console import ConsoleStore
from tournee.reports import Address
from tournee.settings import Settings
from tournee.web.app import create_app
from tournee.web.ports import WebServices
from tournee.web.server import WebServer, bind_loopback
from tournee_sandbox.sandbox import Sandbox

log = structlog.get_logger(__name__)

READY_SECONDS = 30.0
NEAR_PORTS = 50
DEMO_VARIABLE = "TOURNEE_DEMO"

Announce = Callable[[Sequence[Address]], None]


@dataclass(frozen=True, slots=True)
class UpOptions:
    """How `up` differs for the demo: its children's environment, and whether Redis may be killed from the console."""

    role: str = "up"
    environment: Mapping[str, str] = field(default_factory=dict)
    demo: bool = False
    more_addresses: Sequence[Address] = ()


# --- api


async def run_api(settings: Settings, *, announce: Announce, stop: asyncio.Event, demo: bool = False) -> None:
    """API, console and hooks, until `stop` is set. Starts while the stores are away, and recovers by itself."""
    configure_logs()
    async with open_stores(settings, "api") as stores:
        await _check_schema_patiently(settings, stores)
        async with open_services(settings, stores, maintains=False, patient=True) as services:
            await services.engine.start()
            try:
                await _serve_web(services, announce, stop, demo)
            finally:
                await services.engine.stop()


async def _check_schema_patiently(settings: Settings, stores: Stores) -> None:
    # Only the embedded database of this very process is ours to migrate.
    if stores.stack is None and settings.database_url is None:
        await check_schema(stores, migrate=True)


async def _serve_web(services: Services, announce: Announce, stop: asyncio.Event, demo: bool) -> None:
    settings, stores = services.settings, services.stores
    token = (stores.stack.access_token if stores.stack else "") or secrets.token_urlsafe(32)
    port = choose_port(settings.web_port, settings.board_port)
    try:
        sock = bind_loopback(settings.web_host, port)
    except OSError as error:
        raise SetupError(f"port {port} can't be listened on ({error}): set TOURNEE_WEB_PORT to another") from error
    async with open_board(settings, stores) as board:
        app = create_app(
            WebServices(
                engine=services.engine,
                console=ConsoleStore(services.pool),
                search=services.index,
                access_token=token,
                ports=[port],
                board=board,
                kill_redis=(lambda: kill_redis(stores.redis_url)) if demo else None,
                version=__version__,
            )
        )
        server = WebServer(app, sock)
        await server.start()
        base = f"http://{settings.web_host}:{port}"
        announce([Address("console", f"{base}/enter?token={token}"), Address("board", f"{base}/board/")])
        try:
            await _first(stop.wait(), server.wait())
        finally:
            await server.stop()


def choose_port(preferred: int, kept: int) -> int:
    """The preferred port, else the next free one but `kept`, which is the board's."""
    for port in range(preferred, preferred + NEAR_PORTS):
        if port != kept and is_port_free(port):
            return port
    return find_free_port()


# --- worker


async def run_worker(settings: Settings, *, queues: Mapping[str, int], announce: Announce, stop: asyncio.Event) -> None:
    """Workers for these queues, with relay and maintenance, until `stop` is set."""
    configure_logs()
    async with open_stores(settings, "worker") as stores:
        await check_schema(stores, migrate=stores.stack is None and settings.database_url is None)
        async with open_services(settings, stores, maintains=True, patient=stores.stack is not None) as services:
            await services.engine.start()
            worker = services.engine.build_worker(replace(worker_settings(settings), concurrency=dict(queues)))
            await worker.start()
            announce([Address("worker", str(worker.id), ", ".join(f"{q}={n}" for q, n in queues.items()))])
            try:
                await stop.wait()
            finally:
                await worker.stop()
                await services.engine.stop()


# --- up


async def run_up(
    settings: Settings, *, announce: Announce, stop: asyncio.Event, options: UpOptions | None = None
) -> None:
    """Everything, supervised, until `stop` is set. Raises `SetupError` if a stack serves this home already."""
    async with open_up(settings, options or UpOptions()) as addresses:
        announce(addresses)
        await stop.wait()


@asynccontextmanager
async def open_up(settings: Settings, options: UpOptions) -> AsyncIterator[Sequence[Address]]:
    """Everything, supervised, for as long as this is open."""
    running = read_stack(settings.home)
    if running is not None:
        raise SetupError(f"a stack serves {settings.home} already (process {running.pid}): stop it first")
    configure_logs()
    async with AsyncExitStack() as stack:
        stores = read_given_stores(settings)
        if stores is None:
            stores = await stack.enter_async_context(open_embedded(settings.home, options.role))
        await check_schema(stores, migrate=True)
        port, token = choose_port(settings.web_port, settings.board_port), secrets.token_urlsafe(32)
        base = f"http://{settings.web_host}:{port}"
        addresses = _list_addresses(stores, base, token, options)
        write_stack(
            settings.home,
            describe_self(
                options.role,
                stores,
                access_token=token,
                web_url=base,
                addresses={address.name: address.url for address in addresses if address.name != "console"},
            ),
        )
        stack.callback(remove_stack, settings.home)
        services = await stack.enter_async_context(open_services(settings, stores, maintains=True))
        await services.engine.start()
        stack.push_async_callback(services.engine.stop)
        supervisor = Supervisor(
            _list_roles(settings, options, port), settings.grace_seconds, services.engine.store.report_dead_worker
        )
        supervisor.start()
        stack.push_async_callback(supervisor.stop)
        await _wait_until_ready(base)
        await _wait_for_workers(services.engine, supervisor)
        yield addresses


def _list_roles(settings: Settings, options: UpOptions, port: int) -> list[Role]:
    environment = {"TOURNEE_HOME": str(settings.home), "TOURNEE_WEB_PORT": str(port), **options.environment}
    numbers = range(1, settings.worker_processes + 1)
    workers = [Role(f"worker {number}", ["worker", "--json"], environment) for number in numbers]
    api_environment = {**environment, **({DEMO_VARIABLE: "1"} if options.demo else {})}
    return [Role("api", ["api", "--json"], api_environment), *workers]


def _list_addresses(stores: Stores, base: str, token: str, options: UpOptions) -> list[Address]:
    return [
        Address("console", f"{base}/enter?token={token}", "open this link first"),
        Address("board", f"{base}/board/"),
        Address("postgresql", _without_password(stores.database_url)),
        Address("redis", _without_password(stores.redis_url)),
        *options.more_addresses,
    ]


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


async def _wait_until_ready(base: str) -> None:
    deadline = asyncio.get_running_loop().time() + READY_SECONDS
    async with httpx.AsyncClient(timeout=2.0, trust_env=False) as client:
        while not await _is_healthy(client, base):
            if asyncio.get_running_loop().time() > deadline:
                raise SetupError(f"the console at {base} did not answer within {READY_SECONDS:g} s: see above")
            await asyncio.sleep(0.1)


async def _wait_for_workers(engine: Engine, supervisor: Supervisor) -> None:
    """Until each worker process has announced itself: whoever imports then need not start one of its own."""
    deadline = asyncio.get_running_loop().time() + READY_SECONDS
    expected = {pid for name, pid in supervisor.pids.items() if name.startswith("worker")}
    while not expected <= {row.pid for row in await engine.read_workers()}:
        if asyncio.get_running_loop().time() > deadline:
            raise SetupError(f"the workers were not ready within {READY_SECONDS:g} s: see the messages above")
        await asyncio.sleep(0.05)
        expected = {pid for name, pid in supervisor.pids.items() if name.startswith("worker")}


async def _is_healthy(client: httpx.AsyncClient, base: str) -> bool:
    try:
        return (await client.get(f"{base}/healthz")).is_success
    except httpx.HTTPError:
        return False


# --- sandbox


async def run_sandbox(settings: Settings, *, announce: Announce, stop: asyncio.Event) -> None:
    """Only the simulators, until `stop` is set."""
    async with Sandbox(Path(settings.home) / "sandbox") as sandbox:
        announce(list_sandbox_addresses(sandbox.read_addresses()))
        await stop.wait()


def list_sandbox_addresses(addresses: Mapping[str, Mapping[str, str]]) -> list[Address]:
    """One line for each simulator and purpose."""
    return [
        Address(f"{name} {purpose}", url) for name, purposes in addresses.items() for purpose, url in purposes.items()
    ]


async def _first(*waits: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
