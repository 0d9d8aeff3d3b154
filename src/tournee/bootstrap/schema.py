"""Whether the database bears the schema that this version works with.

Keeps: only an empty database is ever migrated without being asked to. Refuses an older schema with the command to run,
and a newer one with no such advice, since going back would lose what the newer version stored.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from tournee.bootstrap.store_faults import FAULTS, StoreFault, judge_database_error
from tournee.bootstrap.stores import Stores
from tournee.db import migrations
from tournee.db.migrations import SchemaTooNew, read_revision
from tournee.db.migrations import migrate as run_migrations
from tournee.kit.errors import SetupError
from tournee.reports import MigrationReport

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 0.5
TOLD_SECONDS = 10.0

_VERSIONS = Path(migrations.__file__).parent / "versions"
REVISIONS = tuple(sorted(path.stem for path in _VERSIONS.glob("*.sql")))
"""All schema revisions that this version knows, oldest first: their names begin with their number."""
HEAD_REVISION = REVISIONS[-1]


class SchemaFault(StoreFault):
    """The database is there, and its schema is another one."""


def judge_revision(revision: str | None) -> SchemaFault | None:
    """What is wrong with a database of this revision (None: never migrated); None: nothing."""
    if revision == HEAD_REVISION:
        return None
    if revision is None:
        return SchemaFault("the database was never migrated", "run `tournee migrate`")
    if revision in REVISIONS:
        detail = f"the database's schema is {revision}, older than this version's {HEAD_REVISION}"
        return SchemaFault(detail, "run `tournee migrate`")
    return _explain_newer(revision)


def _explain_newer(revision: str) -> SchemaFault:
    detail = f"the database's schema is {revision}, unknown to this version, whose own is {HEAD_REVISION}"
    return SchemaFault(detail, "run the newer version that migrated it, or restore an older backup")


async def check_schema(stores: Stores, *, migrate: bool) -> None:
    """Raise `StoreFault` unless the schema is right; an empty database is migrated if allowed."""
    try:
        revision = await read_revision(stores.database_url)
        if migrate and revision is None:
            await run_migrations(stores.database_url)
            return
    except FAULTS as error:
        raise judge_database_error(stores.database_url, error) from error
    if (fault := judge_revision(revision)) is not None:
        raise fault


async def wait_for_schema(stores: Stores) -> None:
    """Like `check_schema`, but while PostgreSQL is away, wait for it to come back, and say so now and then."""
    loop = asyncio.get_running_loop()
    told = float("-inf")
    while True:
        try:
            await check_schema(stores, migrate=False)
            return
        except StoreFault as fault:
            if not fault.passing:
                raise
            if loop.time() - told > TOLD_SECONDS:
                log.warning("waiting for PostgreSQL", reason=fault.detail)
                told = loop.time()
        await asyncio.sleep(PAUSE_SECONDS)


async def migrate_schema(stores: Stores) -> MigrationReport:
    """Bring the schema up to date. Raises `StoreFault`."""
    try:
        before = await read_revision(stores.database_url)
        if before is not None and before not in REVISIONS:
            raise _explain_newer(before)
        applied = await run_migrations(stores.database_url)
        return MigrationReport(before, await read_revision(stores.database_url), applied)
    except SchemaTooNew as error:
        raise SetupError(str(error)) from error
    except FAULTS as error:
        raise judge_database_error(stores.database_url, error) from error
