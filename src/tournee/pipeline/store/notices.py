"""Notices to the administrators, written in the transaction of the fault.

Keeps: one notice per fault, one mail per incident: faults of one cause in a row are counted, and a mail is sent for the
first of them, again when there are ten times as many, and once in a long while if it goes on. The caller commits.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from tournee.db.pool import Connection
from tournee.pipeline.core.emails import Notice
from tournee.pipeline.store.sql import SQL

QUIET = timedelta(hours=1)
"""An incident is over when so long nothing of it happened."""
REPEATED = timedelta(hours=6)
"""One that goes on is told of again after so long."""


@dataclass(frozen=True, slots=True)
class NewNotice:
    """A fault to be told; `fault_key` names it so that it is told once, `incident` names its cause."""

    fault_key: str
    incident: str
    subject: str
    body: str
    newsletter_id: int | None = None


@dataclass(frozen=True, slots=True)
class StoredNotice:
    """A notice and whether it was sent."""

    notice: Notice
    sent: bool


async def insert_notice(connection: Connection, new: NewNotice) -> int | None:
    """Write it down; its id if a mail is to be sent for it, None if it is only counted or was written down before."""
    await lock_incident(connection, new.incident)
    row = await connection.fetchrow(
        SQL.insert_notice, new.fault_key, new.newsletter_id, new.subject, new.body, new.incident, QUIET, REPEATED
    )
    return row["id"] if row is not None and row["announced"] else None


async def lock_incident(connection: Connection, incident: str) -> None:
    """Let nobody else write a fault of this incident until the transaction ends."""
    await connection.execute(SQL.lock_incident, incident)


async def load_notice(connection: Connection, notice_id: int) -> StoredNotice | None:
    """One notice, None if there is none."""
    row = await connection.fetchrow(SQL.load_notice, notice_id)
    if row is None:
        return None
    notice = Notice(row["id"], row["fault_key"], row["subject"], row["body"], row["faults"], row["began_at"])
    return StoredNotice(notice, sent=row["sent"])


async def mark_notice_sent(connection: Connection, notice_id: int) -> None:
    """Say that every administrator was sent it."""
    await connection.execute(SQL.mark_notice_sent, notice_id)


async def set_notice_error(connection: Connection, notice_id: int, error: str | None) -> None:
    """Keep why it was not sent; None: it will be tried again."""
    await connection.execute(SQL.set_notice_error, notice_id, error)
