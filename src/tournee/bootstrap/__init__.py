"""Wires the rooms together: the only place that knows them all. Keeps `tournee.cli.ports.Bootstrap`."""

from __future__ import annotations

import logging

from tournee.bootstrap.api import run_api
from tournee.bootstrap.demo import run_demo
from tournee.bootstrap.doctor import examine_setup
from tournee.bootstrap.logs import configure_logs
from tournee.bootstrap.sandbox import run_sandbox
from tournee.bootstrap.schema import migrate_schema
from tournee.bootstrap.stack import open_stack
from tournee.bootstrap.stack_file import COMMAND
from tournee.bootstrap.stores import open_stores
from tournee.bootstrap.up import run_up
from tournee.bootstrap.worker import run_worker
from tournee.reports import MigrationReport
from tournee.settings import Settings

__all__ = ["examine_setup", "migrate", "open_stack", "run_api", "run_demo", "run_sandbox", "run_up", "run_worker"]


async def migrate(settings: Settings) -> MigrationReport:
    """Bring the schema up to date."""
    configure_logs(settings, level=logging.WARNING)
    async with open_stores(settings, COMMAND) as stores:
        return await migrate_schema(stores)
