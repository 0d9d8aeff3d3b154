"""The schema: made once whoever asks, and holding what the engine relies on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from tournee.db import migrations
from tournee.db.migrations import SchemaTooNew, migrate, read_revision

REVISIONS = sorted(path.stem for path in (Path(migrations.__file__).parent / "versions").glob("[0-9]*.py"))
HEAD_REVISION = REVISIONS[-1]
INSERT_JOB = "INSERT INTO engine.jobs (queue, key, kind, payload, rank) VALUES ('q', $1, 'k', $2, now())"


async def connect(url: str) -> asyncpg.Connection[asyncpg.Record]:
    return await asyncpg.connect(url)


async def test_an_empty_database_comes_to_the_head_and_a_second_run_changes_nothing(empty_database_url: str) -> None:
    assert await read_revision(empty_database_url) is None

    applied = await migrate(empty_database_url)

    assert applied == REVISIONS
    assert await read_revision(empty_database_url) == HEAD_REVISION
    assert await migrate(empty_database_url) == []


async def test_two_migrators_at_once_apply_each_revision_once(empty_database_url: str) -> None:
    first, second = await asyncio.gather(migrate(empty_database_url), migrate(empty_database_url))

    assert sorted([bool(first), bool(second)]) == [False, True]
    assert await read_revision(empty_database_url) == HEAD_REVISION


async def test_a_newer_revision_is_refused_and_left_as_it_is(empty_database_url: str) -> None:
    await migrate(empty_database_url)
    connection = await connect(empty_database_url)
    await connection.execute("UPDATE public.alembic_version SET version_num = '9999_future'")
    await connection.close()

    with pytest.raises(SchemaTooNew, match="9999_future"):
        await migrate(empty_database_url)
    assert await read_revision(empty_database_url) == "9999_future"


async def test_a_migration_that_fails_leaves_the_schema_as_it_was(empty_database_url: str) -> None:
    connection = await connect(empty_database_url)
    await connection.execute("CREATE SCHEMA engine; CREATE TABLE engine.dead ()")
    await connection.close()

    with pytest.raises(Exception, match="already exists"):
        await migrate(empty_database_url)
    assert await read_revision(empty_database_url) is None


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("UPDATE engine.jobs SET attempt = max_attempts + 1", asyncpg.CheckViolationError),
        ("UPDATE engine.jobs SET max_attempts = 0", asyncpg.CheckViolationError),
        ("UPDATE engine.jobs SET key = ''", asyncpg.CheckViolationError),
        ("UPDATE engine.jobs SET key = repeat('k', 256)", asyncpg.CheckViolationError),
        (
            "UPDATE engine.jobs SET payload = jsonb_build_object('x', repeat('x', 40000))",
            asyncpg.CheckViolationError,
        ),
        ("UPDATE engine.jobs SET queue = 'unknown'", asyncpg.ForeignKeyViolationError),
        ("DELETE FROM engine.queues", asyncpg.ForeignKeyViolationError),
        (
            (
                "INSERT INTO engine.jobs (queue, key, kind, payload, rank)"
                " SELECT queue, key, kind, payload, rank FROM engine.jobs"
            ),
            asyncpg.UniqueViolationError,
        ),
        ("UPDATE engine.providers SET state = 'ajar'", asyncpg.CheckViolationError),
    ],
)
async def test_the_schema_refuses_what_no_statement_of_ours_may_write(
    database_url: str, statement: str, error: type[Exception]
) -> None:
    connection = await connect(database_url)
    try:
        await connection.execute("INSERT INTO engine.providers (name) VALUES ('p')")
        await connection.execute("INSERT INTO engine.queues (name) VALUES ('q')")
        await connection.execute(INSERT_JOB, "1", "{}")
        with pytest.raises(error):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_no_index_on_jobs_names_a_column_that_a_state_change_writes(database_url: str) -> None:
    connection = await connect(database_url)
    rows = await connection.fetch(
        """
        SELECT DISTINCT a.attname FROM pg_index i
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
        WHERE i.indrelid = 'engine.jobs'::regclass
        """
    )
    await connection.close()

    assert {row["attname"] for row in rows} == {"id", "queue", "key"}
