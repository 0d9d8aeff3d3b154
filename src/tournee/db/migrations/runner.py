"""Runs alembic on an asyncpg connection. Loaded only where a migration runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from tournee.db.migrations import MIGRATION_LOCK, SchemaTooNew

UNNAMED = {
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": lambda: "",
}
"""No prepared statement bears a name: behind PgBouncer it would stay, and be in the way of the next migration."""


async def run_migrations(database_url: str, revision: str) -> list[str]:
    """See `tournee.db.migrations.migrate`."""
    engine = create_async_engine(_with_driver(database_url), poolclass=NullPool, connect_args=UNNAMED)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(_upgrade, revision)
    finally:
        await engine.dispose()


def _with_driver(database_url: str) -> str:
    scheme, separator, rest = database_url.partition("://")
    if not separator or scheme not in ("postgresql", "postgres"):
        raise ValueError("the database URL must begin with postgresql://")
    return f"postgresql+asyncpg://{rest}"


def _upgrade(connection: Connection, revision: str) -> list[str]:
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    applied: list[str] = []

    def plan(heads: tuple[str, ...], _context: MigrationContext) -> list[object]:
        known = {entry.revision for entry in script.walk_revisions()}
        if unknown := set(heads) - known:
            raise SchemaTooNew(
                f"the database is at revision {', '.join(sorted(unknown))}, which this version does not know: "
                "run the newer version, or restore an older backup"
            )
        # Alembic's own commands plan with this method; its annotation is narrower than what it takes.
        steps = cast("Any", script)._upgrade_revs(revision, heads)
        applied.extend(step.revision.revision for step in steps)
        return list(steps)

    with EnvironmentContext(config, script, fn=plan, destination_rev=revision) as environment:
        environment.configure(
            connection=connection,
            transactional_ddl=True,
            version_table_schema="public",
        )
        with Operations.context(environment.get_context()):
            environment.run_migrations()
    return applied
