"""Wires the rooms together: the only place that knows them all. Keeps `tournee.cli.ports.Bootstrap`.

Keeps: what a command does not use is not imported for it. A worker that is brought back after its death loads no web,
which would be half of its start.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tournee.reports import MigrationReport
from tournee.settings import Settings

if TYPE_CHECKING:
    from tournee.bootstrap.api import run_api
    from tournee.bootstrap.demo import run_demo
    from tournee.bootstrap.doctor import examine_setup
    from tournee.bootstrap.sandbox import run_sandbox
    from tournee.bootstrap.stack import open_stack
    from tournee.bootstrap.up import run_up
    from tournee.bootstrap.worker import run_worker

__all__ = ["examine_setup", "migrate", "open_stack", "run_api", "run_demo", "run_sandbox", "run_up", "run_worker"]

_PLACES = {
    "examine_setup": "doctor",
    "open_stack": "stack",
    "run_api": "api",
    "run_demo": "demo",
    "run_sandbox": "sandbox",
    "run_up": "up",
    "run_worker": "worker",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for from the module that has it."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)


async def migrate(settings: Settings) -> MigrationReport:
    """Bring the schema up to date."""
    from tournee.bootstrap.logs import configure_logs  # noqa: PLC0415 - see the module's docstring
    from tournee.bootstrap.schema import migrate_schema  # noqa: PLC0415
    from tournee.bootstrap.stack_file import COMMAND  # noqa: PLC0415
    from tournee.bootstrap.stores import open_stores  # noqa: PLC0415

    configure_logs(settings, level=logging.WARNING)
    async with open_stores(settings, COMMAND) as stores:
        return await migrate_schema(stores)
