"""The embedded index: how fast documents go in and how fast readers get answers.

    python benchmarks/search.py [--database-url URL] [--documents 2000] [--json]

Puts synthetic newsletters of some 600 words (a Zipf-like vocabulary of 30,000 words in four languages, so that matches
are as uneven as in real mail) and asks queries of each kind. Each kind is asked in 5 rounds; shown is the median over
the rounds of each round's p50 and p95. Without a URL it starts the embedded servers in a temporary home.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tournee.db.migrations import migrate
from tournee.db.pool import Pool, PoolSettings, open_pool
from tournee.embedded import EmbeddedServers, ServersConfig
from tournee.integrations.local.index import EmbeddedIndex
from tournee.pipeline.ports import SearchDocument

ROUNDS = 5
QUERIES_A_ROUND = 40
WORDS_A_DOCUMENT = 600
VOCABULARY = 30_000
LANGUAGES = ("en", "fr", "de", "es")
BATCH = 100
_SYLLABLES = "ba ce di fo gu ha je ki lo mu na pe ri so tu va we xi zo sta tri nde rre lla ent ing eur ung ado".split()


def make_vocabulary(chance: random.Random) -> list[str]:
    """Invented words, the commonest first."""
    words: set[str] = set()
    while len(words) < VOCABULARY:
        words.add("".join(chance.choices(_SYLLABLES, k=chance.randint(2, 4))))
    return sorted(words, key=lambda _: chance.random())


def make_documents(count: int, vocabulary: list[str], chance: random.Random) -> list[SearchDocument]:
    """Newsletters of two owners."""
    weights = [1 / (rank + 3) for rank in range(len(vocabulary))]
    started = datetime(2025, 1, 1, tzinfo=UTC)
    documents = []
    for number in range(1, count + 1):
        words = chance.choices(vocabulary, weights, k=WORDS_A_DOCUMENT)
        documents.append(
            SearchDocument(
                newsletter_id=number,
                owner_id=1 + number % 2,
                language=LANGUAGES[number % len(LANGUAGES)],
                title=" ".join(words[:7]),
                summary=" ".join(words[7:60]),
                sender=f"Sender {number % 97}",
                topics=words[60:65],
                body=" ".join(words),
                sent_at=started + timedelta(hours=number),
            )
        )
    return documents


def misspell(word: str) -> str:
    """The word with two letters swapped."""
    return word[:2] + word[3] + word[2] + word[4:] if len(word) > 4 else word + "q"


def make_queries(vocabulary: list[str], chance: random.Random) -> dict[str, list[str]]:
    """A round of queries of each kind."""
    common, rare = vocabulary[:200], vocabulary[2_000:12_000]

    def draw(make: str) -> str:
        first, second, seldom = chance.choice(common), chance.choice(common), chance.choice(rare)
        return {
            "common word": first,
            "rare word": seldom,
            "two words": f"{first} {second}",
            "phrase": f'"{first} {second}"',
            "excluded": f"{first} -{second}",
            "beginning": first[:4],
            "typing error": misspell(seldom),
            "latest": "",
        }[make]

    kinds = ("common word", "rare word", "two words", "phrase", "excluded", "beginning", "typing error", "latest")
    return {kind: [draw(kind) for _ in range(QUERIES_A_ROUND)] for kind in kinds}


async def prepare(pool: Pool, count: int) -> None:
    """The newsletters that the documents belong to."""
    await pool.execute("INSERT INTO news.owners (name, email) VALUES ('bench', 'a@b.example')")
    await pool.execute("INSERT INTO news.mailboxes (name, owner_id, source) SELECT name, id, 'import' FROM news.owners")
    await pool.execute(
        """INSERT INTO news.messages (mailbox_id, provider_id, size, class)
           SELECT 1, number::text, 1, 'newsletter' FROM generate_series(1, $1::int) number""",
        count,
    )
    await pool.execute(
        "INSERT INTO news.newsletters (id, mailbox_id, owner_id, content_hash) SELECT id, 1, 1, 'h' FROM news.messages"
    )


async def time_queries(index: EmbeddedIndex, queries: list[str]) -> tuple[float, float]:
    """The p50 and p95 of one round, in milliseconds."""
    times = []
    for query in queries:
        started = time.perf_counter()
        await index.search(query, 1)
        times.append((time.perf_counter() - started) * 1_000)
    times.sort()
    return times[len(times) // 2], times[int(len(times) * 0.95)]


async def measure(pool: Pool, count: int) -> dict[str, object]:
    """Put and ask; times of the queries in milliseconds."""
    chance = random.Random(20_250_101)
    vocabulary = make_vocabulary(chance)
    documents = make_documents(count, vocabulary, chance)
    await prepare(pool, count)
    index = EmbeddedIndex(pool)
    started = time.perf_counter()
    for first in range(0, count, BATCH):
        errors = await index.put(documents[first : first + BATCH])
        assert not errors, errors
    seconds = time.perf_counter() - started
    await pool.execute("VACUUM (ANALYZE) news.search_documents")
    await pool.execute("VACUUM (ANALYZE) news.search_words")
    queries = make_queries(vocabulary, chance)
    found: dict[str, object] = {}
    for kind, asked in queries.items():
        rounds = [await time_queries(index, asked) for _ in range(ROUNDS)]
        found[kind] = {
            "p50_ms": round(statistics.median(p50 for p50, _ in rounds), 2),
            "p95_ms": round(statistics.median(p95 for _, p95 in rounds), 2),
        }
    return {"documents": count, "put_per_second": round(count / seconds), "queries": found}


@asynccontextmanager
async def open_database(url: str | None) -> AsyncIterator[str]:
    """The URL given, or that of embedded servers for the time of the run."""
    if url:
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="tournee-bench-") as folder:
        Path(folder).chmod(0o755)  # noqa: ASYNC240 - nothing else runs yet
        async with EmbeddedServers(Path(folder) / "home", ServersConfig()) as servers:
            yield servers.addresses.database_url


async def run(arguments: argparse.Namespace) -> None:
    """Measure and print."""
    async with open_database(arguments.database_url) as url:
        await migrate(url)
        pool = await open_pool(PoolSettings(url))
        try:
            figures = await measure(pool, arguments.documents)
        finally:
            await pool.close()
    if arguments.json:
        print(json.dumps(figures))
        return
    print(f"{figures['documents']} documents, {figures['put_per_second']} a second")
    queries = figures["queries"]
    assert isinstance(queries, dict)
    for kind, times in queries.items():
        print(f"{kind:14} p50 {times['p50_ms']:7.2f} ms   p95 {times['p95_ms']:7.2f} ms")


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--database-url", help="an empty database; without one, embedded servers are started")
    parser.add_argument("--documents", type=int, default=2_000)
    parser.add_argument("--json", action="store_true")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
