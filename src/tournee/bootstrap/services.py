"""Wires one process: pool, broker, registry, stages, engine. The only place where rooms meet.

Owns what is opened and closes it in reverse. A store that can't be used is one clear line (`SetupError`).
"""

from __future__ import annotations

import os
import platform
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import structlog

from tournee.alerts import Alerts
from tournee.alerts.engine_watch import EngineWatch
from tournee.bootstrap.alerting import watch_ledger
from tournee.bootstrap.ledger_pool import open_ledger_pool
from tournee.bootstrap.store_faults import StoreFault, judge_redis_error
from tournee.bootstrap.stores import Stores
from tournee.db.pool import Pool
from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.bullmq.settings import BrokerSettings
from tournee.engine.client import Engine, EngineSettings, Observer, Registry
from tournee.engine.maintenance.service import Service
from tournee.engine.ports import BrokerMisconfigured, BrokerUnavailable
from tournee.integrations.imports.source import ImportSource
from tournee.integrations.local.analyser import EmbeddedAnalyser
from tournee.integrations.local.cpu_pool import CpuPool, CpuPoolConfig
from tournee.integrations.local.index import EmbeddedIndex
from tournee.integrations.local.outbox import OutboxMailer
from tournee.integrations.local.reader import LocalReader
from tournee.integrations.local.warming import warm_up
from tournee.integrations.smtp.mailer import SmtpMailer
from tournee.kit.errors import SetupError
from tournee.pipeline.ports import Analyser, Mailer
from tournee.pipeline.retention import PRUNE_SECONDS, prune_raw
from tournee.pipeline.stages.registration import StagePorts, register_stages
from tournee.settings import Settings
from tournee_sandbox.faults import FaultyAnalyser, load_faults

if TYPE_CHECKING:
    from tournee.bootstrap.telemetry import Telemetry

log = structlog.get_logger(__name__)

MIB = 1024 * 1024


class ClosableMailer(Mailer, Protocol):
    """A mailer that may hold connections."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Services:
    """One process's open services."""

    settings: Settings
    stores: Stores
    pool: Pool
    broker: BullmqBroker
    engine: Engine
    index: EmbeddedIndex


@asynccontextmanager
async def open_services(
    settings: Settings,
    stores: Stores,
    *,
    maintains: bool,
    telemetry: Telemetry | None = None,
    alerts: Alerts | None = None,
) -> AsyncIterator[Services]:
    """Open everything; the engine is built and not started, Redis is not asked for. `telemetry` None: nothing is
    measured; `alerts` None: nobody is told. Raises `SetupError`.
    """
    async with AsyncExitStack() as stack:
        pool = await open_ledger_pool(settings, stores)
        stack.push_async_callback(pool.close)
        broker = BullmqBroker(
            BrokerSettings(
                redis_url=stores.redis_url,
                prefix=settings.prefix,
                lock_duration_ms=10_000,
                worker_name=f"{platform.node()}:{os.getpid()}",
            )
        )
        stack.push_async_callback(broker.close)
        cpu = CpuPool(_describe_cpu_pool(settings))
        stack.push_async_callback(cpu.close)
        index = EmbeddedIndex(pool)
        mailer = build_mailer(settings)
        stack.push_async_callback(mailer.close)
        ports = _build_ports(settings, stores, pool, cpu, index, mailer)
        registry = _build_registry(settings, telemetry.wrap_ports(ports) if telemetry is not None else ports)
        engine = Engine(
            pool,
            broker,
            registry,
            EngineSettings(
                lease_seconds=settings.lease_seconds,
                look_seconds=min(0.5, settings.lease_seconds / 8),
                horizon=timedelta(days=settings.completed_kept_days),
                maintains=maintains,
            ),
            _list_observers(registry, telemetry, alerts),
        )
        if telemetry is not None:
            telemetry.watch(pool, engine)
            if alerts is not None:
                telemetry.watch_alerts(alerts)
        if maintains:
            pruning = Service("raw mail", lambda: _prune(pool), PRUNE_SECONDS)
            pruning.start()
            stack.push_async_callback(pruning.stop)
            if alerts is not None:
                ledger_watch = watch_ledger(alerts, engine, pool)
                ledger_watch.start()
                stack.push_async_callback(ledger_watch.stop)
        yield Services(settings, stores, pool, broker, engine, index)


def _list_observers(registry: Registry, telemetry: Telemetry | None, alerts: Alerts | None) -> list[Observer]:
    measuring = list(telemetry.observe_engine(registry.knows)) if telemetry is not None else []
    return [*measuring, EngineWatch(alerts.monitor)] if alerts is not None else measuring


async def _prune(pool: Pool) -> None:
    await prune_raw(pool)


def _describe_cpu_pool(settings: Settings) -> CpuPoolConfig:
    memory_bytes = settings.message_memory_mib * MIB
    return CpuPoolConfig(workers=settings.reader_processes, memory_bytes=memory_bytes, warm_up=warm_up)


def _build_registry(settings: Settings, ports: StagePorts) -> Registry:
    registry = Registry()
    register_stages(registry, ports)
    registry.set_max_attempts(settings.max_attempts)
    return registry


def _build_ports(
    settings: Settings, stores: Stores, pool: Pool, cpu: CpuPool, index: EmbeddedIndex, mailer: Mailer
) -> StagePorts:
    return StagePorts(
        pool=pool,
        sources={"import": ImportSource(pool)},
        reader=LocalReader(cpu, settings.message_seconds),
        outside=None,
        embedded=_build_analyser(settings, cpu),
        index=index,
        mailer=mailer,
        administrators=settings.admin_emails,
        host=settings.mail_from.rpartition("@")[2],
        console_url=settings.console_url or (stores.stack.web_url if stores.stack is not None else ""),
        language=settings.language,
        raw_kept=timedelta(days=settings.raw_kept_days),
    )


def _build_analyser(settings: Settings, cpu: CpuPool) -> Analyser:
    analyser: Analyser = EmbeddedAnalyser(cpu.run)
    if settings.sandbox_faults:
        # Only a sandboxed stack gets here: the application carries no faults of its own.
        analyser = FaultyAnalyser(analyser, _read_faults(settings.sandbox_faults))
    return analyser


def _read_faults(path: str) -> frozenset[str]:
    try:
        return load_faults(path)
    except (OSError, ValueError) as error:
        raise SetupError(f"TOURNEE_SANDBOX_FAULTS: {path} can't be used ({error}): correct or unset it") from error


def build_mailer(settings: Settings) -> ClosableMailer:
    """SMTP where a server is named, else the outbox in the home."""
    if settings.smtp_url is not None:
        return SmtpMailer(settings.smtp_url.get_secret_value(), settings.mail_from)
    return OutboxMailer(settings.home / "outbox", settings.mail_from)


async def check_redis(services: Services) -> None:
    """Raise `StoreFault` where Redis can't be the dispatcher, or is away."""
    try:
        await services.broker.check()
    except (BrokerMisconfigured, BrokerUnavailable) as error:
        raise judge_redis_error(services.stores.redis_url, error) from error


async def look_at_redis(services: Services) -> None:
    """Like `check_redis`, but a Redis that is merely away is told of and waited for by those who need it."""
    try:
        await check_redis(services)
    except StoreFault as fault:
        if not fault.passing:
            raise
        log.warning("going on without Redis until it is back", reason=fault.detail)
