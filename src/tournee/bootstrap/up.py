"""`up`: everything on one machine, supervised, and what of it the demo uses.

Owns the description of the running stack. Invariant: one stack for each home; when this ends, however it ends, nothing
that it started is left.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import httpx

from tournee.bootstrap.alerting import open_alerts
from tournee.bootstrap.api import Announce
from tournee.bootstrap.home import PRIVATE, make_home, own_home
from tournee.bootstrap.logs import configure_logs
from tournee.bootstrap.schema import check_schema
from tournee.bootstrap.services import check_redis, open_services
from tournee.bootstrap.stack_file import remove_stack, write_stack
from tournee.bootstrap.stopping import run_until, serve_forever
from tournee.bootstrap.stores import Stores, describe_self, find_stores, open_embedded
from tournee.bootstrap.supervisor import Role, Supervisor, SupervisorConfig
from tournee.bootstrap.web_address import build_base, take_port
from tournee.engine.client import Engine
from tournee.engine.ports import LedgerContended, LedgerUnavailable
from tournee.kit.errors import SetupError
from tournee.reports import Address
from tournee.settings import Settings

READY_SECONDS = 60.0
POLL_SECONDS = 0.05
METRICS_PORT = "TOURNEE_METRICS_PORT"


@dataclass(frozen=True, slots=True)
class UpOptions:
    """How `up` differs for the demo: its role's name, its children's environment, and what else is reachable."""

    role: str = "up"
    environment: Mapping[str, str] = field(default_factory=dict)
    more_addresses: Sequence[Address] = ()


async def run_up(settings: Settings, *, announce: Announce, stop: asyncio.Event) -> None:
    """Everything, supervised, until `stop` is set. Raises `SetupError` if a stack serves this home already."""

    async def serve() -> None:
        async with open_up(settings, UpOptions()) as addresses:
            announce(addresses)
            await serve_forever()

    await run_until(stop, serve())


@asynccontextmanager
async def open_up(settings: Settings, options: UpOptions) -> AsyncIterator[Sequence[Address]]:
    """Everything, supervised, for as long as this is open; what it yields is what can be reached."""
    home = settings.home
    async with AsyncExitStack() as stack:
        stores = await _take_stores(settings, options, stack)
        await check_schema(stores, migrate=True)
        # Ours for as long as this is open: no other process gets the port while the API starts or is started again,
        # and who calls meanwhile is answered when it is there.
        door = stack.enter_context(take_port(settings.web_host, settings.web_port, settings.board_port))
        base, token = build_base(settings.web_host, door.getsockname()[1]), secrets.token_urlsafe(32)
        addresses = _list_addresses(stores, base, options)
        from tournee.bootstrap.telemetry import open_telemetry  # noqa: PLC0415 - commands import this module too

        telemetry = await stack.enter_async_context(open_telemetry(settings, options.role))
        alerts = await stack.enter_async_context(
            open_alerts(settings, options.role, stores, supervises=True, console_url=base)
        )
        services = await stack.enter_async_context(
            open_services(settings, stores, maintains=True, telemetry=telemetry, alerts=alerts)
        )
        await check_redis(services)
        shown = {address.name: address.url for address in addresses}
        told = {"access_token": token, "web_url": base, "web_descriptor": door.fileno(), "addresses": shown}
        write_stack(home, describe_self(options.role, stores, **told))
        stack.callback(remove_stack, home)
        await services.engine.start()
        stack.push_async_callback(services.engine.stop)
        config = SupervisorConfig(_list_roles(settings, options, door), settings.logs, settings.grace_seconds)
        supervisor = Supervisor(config, services.engine.report_dead)
        supervisor.start()
        stack.push_async_callback(supervisor.stop)
        await _wait_until_ready(base, services.engine, supervisor)
        yield [_link_console(base, token), *addresses[1:]]


async def _take_stores(settings: Settings, options: UpOptions, stack: AsyncExitStack) -> Stores:
    """The stores that are given, else embedded ones; the home is ours until `stack` ends."""
    home = settings.home
    make_home(home, for_servers=settings.database_url is None)
    settings.logs.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    stack.enter_context(own_home(home))
    configure_logs(settings, level=logging.WARNING, file=settings.logs / f"{options.role}.log")
    given = find_stores(settings)
    if given is not None:
        return given
    return await stack.enter_async_context(open_embedded(home, options.role))


def _list_roles(settings: Settings, options: UpOptions, door: socket.socket) -> list[Role]:
    environment = {"TOURNEE_HOME": str(settings.home), **options.environment}
    # The supervisor has the port that is set, each worker one of those behind it; the API tells on its own.
    ports = _list_metrics_ports(settings.metrics_port, settings.worker_processes)
    workers = [
        Role(f"worker {number}", ["worker", "--json"], {**environment, METRICS_PORT: port})
        for number, port in enumerate(ports, start=1)
    ]
    return [Role("api", ["api", "--json"], {**environment, METRICS_PORT: ""}, [door.fileno()]), *workers]


def _list_metrics_ports(first: int | None, count: int) -> list[str]:
    return ["" if first is None else str(first + number) for number in range(1, count + 1)]


def _list_addresses(stores: Stores, base: str, options: UpOptions) -> list[Address]:
    """What everybody of this home may see: no token, no password."""
    return [
        Address("console", f"{base}/"),
        Address("board", f"{base}/board/"),
        Address("postgresql", _without_password(stores.database_url)),
        Address("redis", _without_password(stores.redis_url)),
        *options.more_addresses,
    ]


def _link_console(base: str, token: str) -> Address:
    return Address("console", f"{base}/enter?token={token}", "open this link first")


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


async def _wait_until_ready(base: str, engine: Engine, supervisor: Supervisor) -> None:
    """Until the console answers and each worker process has announced itself: whoever imports then finds workers."""
    deadline = asyncio.get_running_loop().time() + READY_SECONDS
    async with httpx.AsyncClient(timeout=2.0, trust_env=False) as client:
        while not (await _is_healthy(client, base) and await _have_workers(engine, supervisor)):
            if asyncio.get_running_loop().time() > deadline:
                raise SetupError(f"console and workers at {base} were not ready within {READY_SECONDS:g} s: see above")
            await asyncio.sleep(POLL_SECONDS)


async def _is_healthy(client: httpx.AsyncClient, base: str) -> bool:
    try:
        return (await client.get(f"{base}/healthz")).is_success
    except httpx.HTTPError:
        return False


async def _have_workers(engine: Engine, supervisor: Supervisor) -> bool:
    expected = {pid for name, pid in supervisor.pids.items() if name.startswith("worker")}
    try:
        return expected <= {row.pid for row in await engine.read_workers()}
    except (LedgerUnavailable, LedgerContended):
        return False
