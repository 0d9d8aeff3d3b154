"""Owners and mailboxes: who reads, and how far each mailbox was read.

Keeps the two rules of synchronising: one job at a time has a mailbox, and its cursor moves only from the value
that this job read. All take the caller's connection; the caller commits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tournee.db.pool import Connection
from tournee.pipeline.store.sql import SQL


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose mailbox it is, and where and in which language alerts go."""

    name: str
    email: str
    language: str = "en"


@dataclass(frozen=True, slots=True)
class MailboxEntry:
    """A mailbox as it is found by name."""

    id: int
    owner_id: int
    source: str


@dataclass(frozen=True, slots=True)
class LockedMailbox:
    """A mailbox whose row is locked until the transaction ends. `held`: another job is synchronising it."""

    id: int
    owner_id: int
    name: str
    source: str
    generation: int
    cursor: Mapping[str, Any]
    connected: bool
    held: bool


async def ensure_owner(connection: Connection, owner: Owner) -> int:
    """The owner's id; made, or brought up to date."""
    owner_id: int = await connection.fetchval(SQL.ensure_owner, owner.name, owner.email, owner.language)
    return owner_id


async def ensure_mailbox(
    connection: Connection, name: str, owner_id: int, source: str, consents: bool = False
) -> MailboxEntry:
    """The mailbox of this name; made if there is none, else as it is: of another owner or source maybe."""
    row = await connection.fetchrow(SQL.ensure_mailbox, name, owner_id, source, consents)
    assert row is not None
    return MailboxEntry(id=row["id"], owner_id=row["owner_id"], source=row["source"])


async def set_consents(connection: Connection, mailbox_id: int, consents: bool) -> None:
    """Keep whether content of this mailbox may go to an outside analyser."""
    await connection.execute(SQL.set_consents, mailbox_id, consents)


async def lock_mailbox(connection: Connection, mailbox_id: int, job_id: int = 0) -> LockedMailbox | None:
    """Read and lock; None if it is gone. `held` is seen from `job_id`."""
    row = await connection.fetchrow(SQL.lock_mailbox, mailbox_id, job_id)
    return LockedMailbox(**dict(row)) if row else None


async def raise_generation(connection: Connection, mailbox_id: int, generation: int) -> None:
    """Raise the generation if it is still `generation`."""
    await connection.execute(SQL.raise_generation, mailbox_id, generation)


async def take_mailbox(connection: Connection, mailbox_id: int, job_id: int, duration: timedelta) -> None:
    """Say that `job_id` synchronises it for at most `duration`; the caller holds the row's lock."""
    await connection.execute(SQL.take_mailbox, mailbox_id, job_id, duration)


async def advance_cursor(
    connection: Connection, mailbox_id: int, job_id: int, old: Mapping[str, Any], new: Mapping[str, Any]
) -> bool:
    """Compare and swap, letting go of the mailbox; False if `job_id` lost it or the cursor moved."""
    return await connection.fetchval(SQL.advance_cursor, mailbox_id, job_id, dict(old), dict(new)) is not None


async def release_mailbox(connection: Connection, mailbox_id: int, job_id: int, error: str | None) -> None:
    """Let go of it without advancing, if `job_id` has it; `error` is shown beside it."""
    await connection.execute(SQL.release_mailbox, mailbox_id, job_id, error)


async def set_mailbox_error(connection: Connection, mailbox_id: int, error: str | None) -> str | None:
    """Show why it is not synchronised; answers its name, None if it is gone."""
    name: str | None = await connection.fetchval(SQL.set_mailbox_error, mailbox_id, error)
    return name
