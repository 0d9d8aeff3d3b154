"""Messages and newsletters as they are stored once, page by page.

Keeps: one row per (mailbox, provider's id), whatever arrives; a page is stored in the transaction that moves the
cursor over it. The caller commits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tournee.db.pool import Connection
from tournee.pipeline.ports import ReadMail
from tournee.pipeline.store.sql import SQL


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be stored: its compressed bytes and what was read in it."""

    provider_id: str
    import_id: int | None
    name: str
    size: int
    raw: bytes
    received_at: datetime | None
    trace_context: str
    mail: ReadMail


async def insert_messages(
    connection: Connection, mailbox_id: int, messages: Sequence[NewMessage], raw_kept: timedelta, fetch_job_id: int
) -> Mapping[str, int]:
    """Store all that are not there yet, their bytes for `raw_kept`, with the job that brought them; answers the ids of
    the new by provider's id.
    """
    mails = [message.mail for message in messages]
    rows = await connection.fetch(
        SQL.insert_messages,
        mailbox_id,
        [message.provider_id for message in messages],
        [message.import_id for message in messages],
        [message.name for message in messages],
        [message.size for message in messages],
        [message.raw for message in messages],
        [mail.message_id for mail in mails],
        [mail.subject for mail in mails],
        [mail.from_name for mail in mails],
        [mail.from_address for mail in mails],
        [mail.sent_at for mail in mails],
        [message.received_at for message in messages],
        [mail.message_class.value for mail in mails],
        [mail.score for mail in mails],
        [_reasons_json(mail) for mail in mails],
        [json.dumps(list(mail.notes)) for mail in mails],
        [message.trace_context for message in messages],
        raw_kept,
        fetch_job_id,
    )
    return {row["provider_id"]: row["id"] for row in rows}


async def insert_newsletters(connection: Connection, newsletters: Mapping[int, ReadMail]) -> None:
    """Store the readable part of messages, by message id."""
    mails = list(newsletters.values())
    await connection.execute(
        SQL.insert_newsletters,
        list(newsletters),
        [mail.text for mail in mails],
        [mail.html for mail in mails],
        [json.dumps([{"url": link.url, "text": link.text} for link in mail.links]) for mail in mails],
        [mail.language for mail in mails],
        [mail.content_hash for mail in mails],
        [json.dumps(list(mail.recipients)) for mail in mails],
    )


async def empty_staged_mails(connection: Connection, mailbox_id: int, provider_ids: Sequence[str]) -> None:
    """Drop the staged bytes of imported messages; in the transaction that stores them."""
    await connection.execute(SQL.empty_staged_mails, mailbox_id, provider_ids)


def _reasons_json(mail: ReadMail) -> str:
    reasons = [{"rule": reason.rule, "weight": reason.weight, "detail": reason.detail} for reason in mail.reasons]
    return json.dumps(reasons)
