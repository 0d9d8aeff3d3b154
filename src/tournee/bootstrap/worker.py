"""The worker process: some queues or all, with relay and maintenance."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from tournee.bootstrap.alerting import open_alerts
from tournee.bootstrap.logs import configure_logs
from tournee.bootstrap.schema import check_schema, wait_for_schema
from tournee.bootstrap.services import Services, check_redis, look_at_redis, open_services
from tournee.bootstrap.stopping import run_until, serve_forever
from tournee.bootstrap.stores import Stores, open_stores
from tournee.engine.client import WorkerSettings
from tournee.reports import Address
from tournee.settings import Settings

if TYPE_CHECKING:
    from tournee.bootstrap.api import Announce


async def run_worker(settings: Settings, *, queues: Mapping[str, int], announce: Announce, stop: asyncio.Event) -> None:
    """Workers for these queues, until `stop` is set."""
    configure_logs(settings)
    await run_until(stop, _run_worker(settings, queues, announce))


async def _run_worker(settings: Settings, queues: Mapping[str, int], announce: Announce) -> None:
    # Commands that work for themselves import this module, and have no use for metrics.
    from tournee.bootstrap.telemetry import open_telemetry  # noqa: PLC0415

    async with open_stores(settings, "worker") as stores:
        await _check_schema(stores)
        async with (
            open_telemetry(settings, "worker") as telemetry,
            open_alerts(settings, "worker", stores) as alerts,
            open_services(settings, stores, maintains=True, telemetry=telemetry, alerts=alerts) as services,
        ):
            await _check_redis(services)
            await services.engine.start()
            worker = services.engine.build_worker(replace(build_worker_settings(settings), concurrency=dict(queues)))
            try:
                await worker.start()
                announce([Address("worker", str(worker.id), ", ".join(f"{q}={n}" for q, n in queues.items()))])
                await serve_forever()
            finally:
                await worker.stop()
                await services.engine.stop()


def build_worker_settings(settings: Settings) -> WorkerSettings:
    """All queues with their configured concurrency."""
    return WorkerSettings(
        concurrency=dict(settings.concurrency),
        heartbeat_seconds=settings.heartbeat_seconds,
        grace_seconds=settings.grace_seconds,
    )


async def _check_schema(stores: Stores) -> None:
    """A worker that is brought back while a server of its stack is down waits; one started by hand says so."""
    if stores.stack is not None:
        await wait_for_schema(stores)
    else:
        await check_schema(stores, migrate=stores.embedded)


async def _check_redis(services: Services) -> None:
    if services.stores.stack is not None:
        await look_at_redis(services)
    else:
        await check_redis(services)
