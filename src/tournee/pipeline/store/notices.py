"""Notices to the administrators, written in the transaction of the fault.

Keeps: one notice per fault. The caller commits.
"""

from __future__ import annotations

from dataclasses import dataclass

from tournee.db.pool import Connection
from tournee.pipeline.core.emails import Notice
from tournee.pipeline.store.sql import SQL


@dataclass(frozen=True, slots=True)
class NewNotice:
    """A fault to be told; `fault_key` names it so that it is told once."""

    fault_key: str
    subject: str
    body: str
    newsletter_id: int | None = None


@dataclass(frozen=True, slots=True)
class StoredNotice:
    """A notice and whether it was sent."""

    notice: Notice
    sent: bool


async def insert_notice(connection: Connection, new: NewNotice) -> int | None:
    """Write it down; None if this fault was written down before."""
    notice_id: int | None = await connection.fetchval(
        SQL.insert_notice, new.fault_key, new.newsletter_id, new.subject, new.body
    )
    return notice_id


async def load_notice(connection: Connection, notice_id: int) -> StoredNotice | None:
    """One notice, None if there is none."""
    row = await connection.fetchrow(SQL.load_notice, notice_id)
    if row is None:
        return None
    notice = Notice(row["id"], row["fault_key"], row["subject"], row["body"])
    return StoredNotice(notice, sent=row["sent"])


async def mark_notice_sent(connection: Connection, notice_id: int) -> None:
    """Say that every administrator was sent it."""
    await connection.execute(SQL.mark_notice_sent, notice_id)


async def set_notice_error(connection: Connection, notice_id: int, error: str | None) -> None:
    """Keep why it was not sent; None: it will be tried again."""
    await connection.execute(SQL.set_notice_error, notice_id, error)
