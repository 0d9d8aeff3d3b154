"""Wires one process: pool, broker, registry, stages, engine. The only place where rooms meet.

Owns what is opened and closes it in reverse. A store that can't be used is one clear line (`SetupError`).
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from urllib.parse import urlsplit

import asyncpg

from tournee.bootstrap.stores import Stores
from tournee.db.migrations import migrate as run_migrations
from tournee.db.migrations import read_revision
from tournee.db.pool import Pool, PoolSettings, open_pool
from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.bullmq.settings import BrokerSettings
from tournee.engine.client import Engine, EngineSettings, Registry
from tournee.engine.ports import BrokerMisconfigured, BrokerUnavailable
from tournee.integrations.imports.source import ImportSource
from tournee.integrations.local.analyser import EmbeddedAnalyser
from tournee.integrations.local.cpu_pool import CpuPool, CpuPoolConfig
from tournee.integrations.local.index import EmbeddedIndex
from tournee.integrations.local.outbox import OutboxMailer
from tournee.integrations.local.reader import LocalReader
from tournee.integrations.smtp.mailer import SmtpMailer
from tournee.kit.errors import SetupError
from tournee.pipeline.ports import Analyser, Mailer
from tournee.pipeline.stages.registration import StagePorts, register_stages
from tournee.settings import Settings
from tournee_sandbox.faults import FaultyAnalyser, load_faults

MIB = 1024 * 1024
HEAD_REVISION = "0002_pipeline"
"""The schema that this version of the code works with."""


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
    settings: Settings, stores: Stores, *, maintains: bool, patient: bool = False
) -> AsyncIterator[Services]:
    """Open everything; the engine is built and not started. `patient`: wait for stores that are away."""
    async with AsyncExitStack() as stack:
        pool = await _open_pool(settings, stores, patient)
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
        if not patient:
            await check_redis(broker)
        cpu = CpuPool(CpuPoolConfig(workers=settings.reader_processes, memory_bytes=settings.message_memory_mib * MIB))
        stack.push_async_callback(cpu.close)
        index = EmbeddedIndex(pool)
        mailer = build_mailer(settings)
        stack.push_async_callback(mailer.close)
        registry = _build_registry(settings, pool, cpu, index, mailer)
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
        )
        yield Services(settings, stores, pool, broker, engine, index)


def _build_registry(settings: Settings, pool: Pool, cpu: CpuPool, index: EmbeddedIndex, mailer: Mailer) -> Registry:
    registry = Registry()
    register_stages(
        registry,
        StagePorts(
            pool=pool,
            sources={"import": ImportSource(pool)},
            reader=LocalReader(cpu, settings.message_seconds),
            outside=None,
            embedded=_build_analyser(settings, cpu),
            index=index,
            mailer=mailer,
            administrators=settings.admin_emails,
            host=settings.mail_from.rpartition("@")[2],
        ),
    )
    registry.set_max_attempts(settings.max_attempts)
    return registry


def _build_analyser(settings: Settings, cpu: CpuPool) -> Analyser:
    analyser: Analyser = EmbeddedAnalyser(cpu.run)
    if settings.sandbox_faults:
        # Only a sandboxed stack gets here: the application carries no faults of its own.
        analyser = FaultyAnalyser(analyser, load_faults(settings.sandbox_faults))
    return analyser


def build_mailer(settings: Settings) -> ClosableMailer:
    """SMTP where a server is named, else the outbox in the home."""
    if settings.smtp_url is not None:
        return SmtpMailer(settings.smtp_url.get_secret_value(), settings.mail_from)
    return OutboxMailer(settings.home / "outbox", settings.mail_from)


async def _open_pool(settings: Settings, stores: Stores, patient: bool) -> Pool:
    pool_settings = PoolSettings(
        stores.database_url,
        min_size=1,
        max_size=16,
        # No session may outlast the lease, or a stuck process would hold rows longer than it may hold jobs.
        lock_timeout_seconds=settings.lease_seconds * 0.6,
        idle_in_transaction_timeout_seconds=settings.lease_seconds * 0.8,
        tcp_user_timeout_seconds=settings.lease_seconds * 0.8,
    )
    while True:
        try:
            return await open_pool(pool_settings)
        except Exception as error:
            if not patient:
                raise SetupError(describe_database_error(stores.database_url, error)) from error
        await asyncio.sleep(0.5)


def describe_database_error(url: str, error: BaseException) -> str:
    """One line on why PostgreSQL can't be used, and what to do; the password is not in it."""
    parts = urlsplit(url)
    where = f"PostgreSQL at {parts.hostname}:{parts.port or 5432}"
    match error:
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidAuthorizationSpecificationError():
            return f"{where} refuses user {parts.username!r}: check user and password in TOURNEE_DATABASE_URL"
        case asyncpg.InvalidCatalogNameError():
            return f"{where} has no database {parts.path.lstrip('/')!r}: create it, or correct TOURNEE_DATABASE_URL"
        case asyncpg.TooManyConnectionsError():
            return f"{where} has no free connection: raise max_connections, or run fewer processes"
        case TimeoutError():
            return f"{where} does not answer: check host and port in TOURNEE_DATABASE_URL"
        case OSError():
            return f"{where} can't be reached ({error.strerror or error}): start it, or correct TOURNEE_DATABASE_URL"
        case _:
            return f"{where} can't be used: {error}"


async def check_redis(broker: BullmqBroker) -> None:
    """Raises `SetupError` where Redis can't be the dispatcher."""
    try:
        await broker.check()
    except BrokerMisconfigured as error:
        raise SetupError(str(error)) from error
    except BrokerUnavailable as error:
        raise SetupError(f"Redis can't be reached ({error}): start it, or correct TOURNEE_REDIS_URL") from error


async def check_schema(stores: Stores, *, migrate: bool) -> None:
    """See that the schema is what this version works with; an empty database is migrated if allowed."""
    try:
        revision = await read_revision(stores.database_url)
        if revision == HEAD_REVISION:
            return
        if migrate and revision is None:
            await run_migrations(stores.database_url)
            return
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise SetupError(describe_database_error(stores.database_url, error)) from error
    state = "was never migrated" if revision is None else f"is at revision {revision}, not {HEAD_REVISION}"
    raise SetupError(f"the database {state}: run `tournee migrate`")
