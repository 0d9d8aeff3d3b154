"""Wires the rooms together: the only place that knows them all. Keeps `tournee.cli.ports.Bootstrap`."""

from __future__ import annotations

import asyncio
import os

import asyncpg

from tournee.bootstrap.demo import run_demo
from tournee.bootstrap.doctor import examine_setup
from tournee.bootstrap.roles import DEMO_VARIABLE, Announce, run_sandbox, run_up, run_worker
from tournee.bootstrap.roles import run_api as _run_api
from tournee.bootstrap.services import describe_database_error
from tournee.bootstrap.stack import open_stack
from tournee.bootstrap.stores import open_stores
from tournee.db.migrations import SchemaTooNew, read_revision
from tournee.db.migrations import migrate as run_migrations
from tournee.kit.errors import SetupError
from tournee.reports import MigrationReport
from tournee.settings import Settings

__all__ = ["examine_setup", "migrate", "open_stack", "run_api", "run_demo", "run_sandbox", "run_up", "run_worker"]


async def run_api(settings: Settings, *, announce: Announce, stop: asyncio.Event) -> None:
    """API, console and hooks only, until `stop` is set."""
    await _run_api(settings, announce=announce, stop=stop, demo=os.environ.get(DEMO_VARIABLE) == "1")


async def migrate(settings: Settings) -> MigrationReport:
    """Bring the schema up to date."""
    async with open_stores(settings, "command") as stores:
        try:
            before = await read_revision(stores.database_url)
            applied = await run_migrations(stores.database_url)
            after = await read_revision(stores.database_url)
        except SchemaTooNew as error:
            raise SetupError(str(error)) from error
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise SetupError(describe_database_error(stores.database_url, error)) from error
    return MigrationReport(before, after, applied)
