"""What `put` and `remove` promise."""

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from tests.integration.index.conftest import find, make_document
from tournee.db.pool import Pool, PoolSettings, open_pool
from tournee.integrations.local.index import EmbeddedIndex, embedded

STATE = "SELECT array_agg((newsletter_id, xmin::text, ctid::text) ORDER BY newsletter_id) FROM news.search_documents"


async def test_putting_the_same_documents_again_writes_nothing(index: EmbeddedIndex, pool: Pool) -> None:
    documents = [make_document(number, "Bridge", "The bridge opens", topics=["bridge"]) for number in (1, 2, 3)]
    await index.put(documents)
    before = await pool.fetchval(STATE)

    assert await index.put(documents) == {}

    assert await pool.fetchval(STATE) == before


async def test_a_document_put_again_replaces_the_old_one(index: EmbeddedIndex) -> None:
    await index.put([make_document(1, "Bridge")])

    await index.put([make_document(1, "Ferry", owner_id=2)])

    assert await find(index, "bridge", None) == []
    assert await find(index, "ferry", 1) == []
    assert await find(index, "ferry", 2) == [1]


async def test_the_last_of_two_documents_with_one_id_counts(index: EmbeddedIndex) -> None:
    assert await index.put([make_document(1, "Bridge"), make_document(1, "Ferry")]) == {}

    assert await find(index, "ferry") == [1]


async def test_a_refused_document_does_not_take_its_neighbours_along(index: EmbeddedIndex) -> None:
    documents = [make_document(number, "Bridge") for number in range(1, 31)]
    documents.insert(7, make_document(999, "Bridge of nobody"))
    documents.insert(20, replace(make_document(31, "Bridge"), owner_id=2**70))

    errors = await index.put(documents)

    assert set(errors) == {999, 31}
    assert "newsletters" in errors[999]
    assert (await index.search("bridge", 1)).total == 30


@pytest.mark.parametrize(
    "body",
    [
        "bridge \x00 and \ud800 more",
        "bridge " + "x" * 300_000,
        "bridge " + " ".join(f"w{number:x}" for number in range(200_000)),
        "bridge " + "日本" * 200_000,
        "bridge " + "é" * 5_000 + " " + "a " * 100_000,
    ],
    ids=["unstorable", "one-word", "all-different", "ideographs", "short-words"],
)
async def test_hostile_bodies_are_indexed_within_bounds(index: EmbeddedIndex, pool: Pool, body: str) -> None:
    assert await index.put([make_document(1, "Title\x00", body)]) == {}

    assert await find(index, "bridge") == [1]
    assert await pool.fetchval("SELECT octet_length(body) FROM news.search_documents") <= embedded.MAX_BODY_BYTES


async def test_removed_documents_are_found_no_more(index: EmbeddedIndex) -> None:
    await index.put([make_document(1, "Bridge"), make_document(2, "Bridge")])

    await index.remove([1, 50, 12_345])
    await index.remove([])

    assert await find(index, "bridge") == [2]


async def test_a_document_goes_with_its_newsletter(index: EmbeddedIndex, pool: Pool) -> None:
    await index.put([make_document(1, "Bridge")])

    await pool.execute("DELETE FROM news.messages WHERE id = 1")

    assert await find(index, "bridge", None) == []


async def test_writers_of_the_same_documents_do_not_deadlock(index: EmbeddedIndex) -> None:
    forth = [
        make_document(number, f"Bridge {number}", f"alpha{number:x} beta gamma delta epsilon")
        for number in range(1, 61)
    ]

    answers = await asyncio.gather(*(index.put(documents) for documents in (forth, forth[::-1], forth[30:], forth) * 2))

    assert answers == [{}] * 8
    assert (await index.search("bridge", 1)).total == 60


async def test_the_vocabulary_stops_growing_at_its_bound(
    index: EmbeddedIndex, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "MAX_VOCABULARY_WORDS", 3)
    await index.put([make_document(1, "alder birch cedar")])
    await pool.execute("ANALYZE news.search_words")
    known = await pool.fetchval("SELECT count(*) FROM news.search_words")

    assert await index.put([make_document(2, "dogwood elder")]) == {}

    assert await pool.fetchval("SELECT count(*) FROM news.search_words") == known
    assert await find(index, "dogwood") == [2]


async def test_contention_is_raised_and_not_blamed_on_a_document(pool: Pool, database_url: str) -> None:
    impatient = await open_pool(PoolSettings(database_url, min_size=1, lock_timeout_seconds=0.1))
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE news.search_documents IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await EmbeddedIndex(impatient).put([make_document(1, "Bridge")])
    await impatient.close()
