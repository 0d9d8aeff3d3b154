"""Schema migrations: alembic keeps the order, the SQL beside each revision is plain.

Owns which revision a database has. Several processes may migrate at once: a transaction-level advisory lock
lets one through. Refuses a database that is newer than the code, and a server that is older than it may be.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncpg

MIGRATION_LOCK = 0x746F75726E65  # "tourne": one migrator at a time, whatever its process

OLDEST_SERVER = 15
"""The major version of PostgreSQL that is needed at the least."""


class ServerTooOld(Exception):
    """The server lacks what our statements say, in the schema or later."""


class SchemaTooNew(Exception):
    """The database bears a revision that this version of the code does not know."""


def read_sql(name: str) -> str:
    """The plain SQL of a revision, by file name without suffix."""
    return (Path(__file__).parent / "versions" / f"{name}.sql").read_text(encoding="utf-8")


def execute_script(bind: Any, sql: str) -> None:
    """Run many statements at once on alembic's connection, inside its transaction (asyncpg's simple protocol)."""
    bind.connection.dbapi_connection.run_async(lambda connection: connection.execute(sql))


async def migrate(database_url: str, revision: str = "head") -> list[str]:
    """Bring the schema to `revision`; answers the revisions that were applied, oldest first.

    One transaction for all: a failed migration leaves the schema as it was. Raises `SchemaTooNew`, or asyncpg's
    error where the database can't be reached.
    """
    # Alembic and SQLAlchemy take about a second to import, so they are loaded only where a migration runs.
    from tournee.db.migrations.runner import run_migrations  # noqa: PLC0415

    return await run_migrations(database_url, revision)


async def read_revision(database_url: str) -> str | None:
    """The revision that the database bears; None for one that was never migrated. Raises `ServerTooOld`."""
    # No statement is named, and each may meet another server connection, as behind PgBouncer.
    connection = await asyncpg.connect(database_url, timeout=5, statement_cache_size=0)
    try:
        if (version := connection.get_server_version()).major < OLDEST_SERVER:
            raise ServerTooOld(f"it is PostgreSQL {version.major}")
        if await connection.fetchval("SELECT to_regclass('public.alembic_version')") is None:
            return None
        revision: str | None = await connection.fetchval("SELECT version_num FROM public.alembic_version")
        return revision
    finally:
        await connection.close()
