"""A newsletter's way: received, analysed, indexed – or invalid.

Keeps: each has an analysis or a reason why not, so that newsletters = analysed + cache hits + invalid at rest.
The caller commits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tournee.db.pool import Connection
from tournee.pipeline.ports import Link
from tournee.pipeline.store.sql import SQL


@dataclass(frozen=True, slots=True)
class Newsletter:
    """What an analyser needs; `consents`: its content may leave the house; `imported`: it came by a local import.

    `recipients`: names and addresses of whom this copy was sent to, and its owner's address.
    """

    id: int
    mailbox_id: int
    text: str
    links: Sequence[Link]
    language: str
    content_hash: str
    consents: bool
    message_id_header: str | None
    subject: str
    from_name: str
    from_address: str
    imported: bool
    recipients: Sequence[str]

    @property
    def sender(self) -> str:
        """`Name <address>`."""
        return format_sender(self.from_name, self.from_address)


@dataclass(frozen=True, slots=True)
class IndexableNewsletter:
    """What index and rules need of an analysed newsletter."""

    id: int
    mailbox_id: int
    owner_id: int
    text: str
    notifies: bool
    owner_email: str
    from_name: str
    from_address: str
    sent_at: datetime | None
    imported: bool
    title: str
    summary: str
    language: str
    topics: Sequence[str]

    @property
    def sender(self) -> str:
        """`Name <address>`."""
        return format_sender(self.from_name, self.from_address)


@dataclass(frozen=True, slots=True)
class InvalidNewsletter:
    """What a notice says of a newsletter that was given up."""

    subject: str
    from_name: str
    from_address: str
    mailbox: str

    @property
    def sender(self) -> str:
        """`Name <address>`."""
        return format_sender(self.from_name, self.from_address)


def format_sender(name: str, address: str) -> str:
    """`Name <address>`, or the one of both that is there."""
    if name and address and name != address:
        return f"{name} <{address}>"
    return name or address


def read_links(stored: Sequence[Mapping[str, str]]) -> list[Link]:
    """The links of a newsletter, as its row has them."""
    return [Link(url=link["url"], text=link["text"]) for link in stored]


async def load_newsletter(connection: Connection, newsletter_id: int) -> Newsletter | None:
    """One newsletter, None if it was erased."""
    row = await connection.fetchrow(SQL.load_newsletter, newsletter_id)
    if row is None:
        return None
    return Newsletter(**(dict(row) | {"links": read_links(row["links"])}))


async def link_analysis(connection: Connection, newsletter_id: int, analysis_id: int, *, cache_hit: bool) -> bool:
    """Give it its analysis; False if it was erased."""
    return await connection.fetchval(SQL.link_analysis, newsletter_id, analysis_id, cache_hit) is not None


async def mark_invalid(connection: Connection, newsletter_id: int, reason: str) -> InvalidNewsletter | None:
    """Give it up; None if it is gone, or has an analysis after all."""
    row = await connection.fetchrow(SQL.mark_invalid, newsletter_id, reason)
    return InvalidNewsletter(**dict(row)) if row else None


async def restore_newsletter(connection: Connection, newsletter_id: int) -> None:
    """Let a given-up newsletter be analysed again."""
    await connection.execute(SQL.restore_newsletter, newsletter_id)


async def list_indexable_newsletters(connection: Connection, ids: Sequence[int]) -> list[IndexableNewsletter]:
    """The analysed ones among `ids`, by id."""
    rows = await connection.fetch(SQL.list_indexable_newsletters, ids)
    return [IndexableNewsletter(**dict(row)) for row in rows]


async def mark_indexed(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Say that they are in the index; answers those that are there still."""
    return {row["id"] for row in await connection.fetch(SQL.mark_indexed, ids)}


async def set_index_error(connection: Connection, newsletter_id: int, error: str | None) -> None:
    """Keep why it is not searchable; None: it will be tried again."""
    await connection.execute(SQL.set_index_error, newsletter_id, error)
