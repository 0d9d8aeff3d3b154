"""Local imports: what was handed in, and what has become of it.

Keeps: the same bytes are staged once per mailbox, in the order of their ids, under the mailbox's row lock.
Reads `engine.jobs` by (queue, key), never by state, and writes nothing there. The caller commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tournee.db.pool import Connection
from tournee.pipeline.core.summary import ImportCounts
from tournee.pipeline.store.sql import SQL


@dataclass(frozen=True, slots=True)
class StagedMail:
    """A mail to be staged: hash and size of the whole, bytes compressed (and cut at the size limit)."""

    sha256: bytes
    name: str
    size: int
    raw: bytes


async def begin_import(connection: Connection, mailbox_id: int, path: str, notifies: bool) -> int:
    """Open an import; answers its id."""
    import_id: int = await connection.fetchval(SQL.begin_import, mailbox_id, path, notifies)
    return import_id


async def insert_staged_mails(
    connection: Connection, mailbox_id: int, import_id: int, mails: Sequence[StagedMail]
) -> int:
    """Stage those whose bytes are new to the mailbox; answers how many. The caller holds the mailbox's lock."""
    rows = await connection.fetch(
        SQL.insert_staged_mails,
        mailbox_id,
        import_id,
        [mail.sha256 for mail in mails],
        [mail.name for mail in mails],
        [mail.size for mail in mails],
        [mail.raw for mail in mails],
    )
    return len(rows)


async def count_import_files(connection: Connection, import_id: int) -> int:
    """How many files and mails of this import are staged or counted by now."""
    files: int = await connection.fetchval(SQL.count_import_files, import_id)
    return files


async def add_import_counts(
    connection: Connection, import_id: int, *, files: int = 0, not_mail: int = 0, duplicates: int = 0
) -> None:
    """Count what a batch held; in the transaction that stages or stores it."""
    await connection.execute(SQL.add_import_counts, import_id, files, not_mail, duplicates)


async def finish_import(connection: Connection, import_id: int) -> None:
    """Close it; a second close changes nothing."""
    await connection.execute(SQL.finish_import, import_id)


async def read_import_counts(connection: Connection, import_id: int) -> ImportCounts:
    """Progress at this moment. Raises LookupError if there is no such import."""
    row = await connection.fetchrow(SQL.read_import_counts, import_id)
    if row is None:
        raise LookupError(f"there is no import {import_id}")
    return ImportCounts(**dict(row))


async def count_import_jobs(connection: Connection, import_id: int) -> tuple[int, int]:
    """Failed attempts (also those made good later) and dead jobs of this import."""
    row = await connection.fetchrow(SQL.count_import_jobs, import_id)
    assert row is not None
    return row["failed"], row["dead"]
