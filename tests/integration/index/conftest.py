"""An embedded index on a fresh database with a hundred newsletters of two owners to be indexed."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from tournee.db.pool import Pool, PoolSettings, open_pool
from tournee.integrations.local.index import EmbeddedIndex
from tournee.pipeline.ports import SearchDocument

NEWSLETTERS = 100
FIRST_SENT_AT = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    opened = await open_pool(PoolSettings(database_url, max_size=8))
    await opened.execute("INSERT INTO news.owners (name, email) VALUES ('one', 'a@b.example'), ('two', 'c@d.example')")
    await opened.execute(
        "INSERT INTO news.mailboxes (name, owner_id, source) SELECT name, id, 'import' FROM news.owners"
    )
    await opened.execute(
        """INSERT INTO news.messages (mailbox_id, provider_id, size, class)
           SELECT 1, number::text, 1, 'newsletter' FROM generate_series(1, $1::int) number""",
        NEWSLETTERS,
    )
    await opened.execute(
        """INSERT INTO news.newsletters (id, mailbox_id, owner_id, content_hash)
           SELECT id, 1, 1, 'hash' FROM news.messages"""
    )
    yield opened
    await opened.close()


@pytest.fixture
def index(pool: Pool) -> EmbeddedIndex:
    return EmbeddedIndex(pool)


def make_document(
    newsletter_id: int,
    title: str = "",
    body: str = "",
    language: str = "en",
    owner_id: int = 1,
    summary: str = "",
    topics: Sequence[str] = (),
) -> SearchDocument:
    sent_at = FIRST_SENT_AT + timedelta(days=newsletter_id)
    return SearchDocument(
        newsletter_id, owner_id, language, title, summary, "The Harbour Letter", topics, body, sent_at
    )


async def find(index: EmbeddedIndex, query: str, owner_id: int | None = 1) -> list[int]:
    return [hit.newsletter_id for hit in (await index.search(query, owner_id)).hits]
