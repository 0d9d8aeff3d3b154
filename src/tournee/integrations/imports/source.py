"""The mail source over `news.staged_mails`.

Owns the cursor `{"after": id}`. Staging takes ids under the mailbox's row lock, so that they become visible in
order and no cursor can pass one that it has not seen. Reads only: who stores a message empties its staged bytes.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from tournee.db.pool import Connection, Pool
from tournee.db.queries import load_queries
from tournee.pipeline.ports import FetchedMessage, FetchedPage, type_json
from tournee.pipeline.store.reading import open_reading

SQL = load_queries("tournee.integrations.imports")


@dataclass(frozen=True, slots=True)
class PageLimits:
    """How much one page may hold; a message larger than `size_bytes` makes a page of its own."""

    messages: int = 40
    size_bytes: int = 8 * 1024 * 1024


class ImportSource:
    """Keeps `MailSource` for mailboxes whose source is `import`."""

    def __init__(self, pool: Pool, limits: PageLimits | None = None) -> None:
        self._pool = pool
        self._limits = limits or PageLimits()

    async def fetch(self, mailbox_id: int, cursor: type_json) -> FetchedPage:
        """The next page, oldest first. Raises zlib.error if staged bytes were damaged."""
        after = int(cursor.get("after", 0))
        async with open_reading(self._pool) as connection:
            rows = await list_staged_page(connection, mailbox_id, after, self._limits)
        if not rows:
            return FetchedPage(messages=(), cursor={"after": after}, has_more=False)
        contents = await asyncio.to_thread(_decompress, [row["raw"] for row in rows])
        messages = [
            FetchedMessage(
                provider_id=row["sha256"].hex(),
                raw=raw,
                name=row["name"],
                import_id=row["import_id"],
                size=row["size"],
            )
            for row, raw in zip(rows, contents, strict=True)
        ]
        return FetchedPage(messages=messages, cursor={"after": rows[-1]["id"]}, has_more=rows[-1]["more"])


async def list_staged_page(
    connection: Connection, mailbox_id: int, after: int, limits: PageLimits
) -> Sequence[asyncpg.Record]:
    """The rows of the next page, by id; empty when all is read."""
    return await connection.fetch(SQL.list_staged_page, mailbox_id, after, limits.messages, limits.size_bytes)


def _decompress(contents: Sequence[bytes]) -> list[bytes]:
    return [zlib.decompress(content) for content in contents]
