"""The embedded index: keeps the port `SearchIndex` with PostgreSQL's full text search.

It owns `news.search_documents` and `news.search_words`. Each call commits its own transactions, so that what `put`
answered for is durable, and a document that PostgreSQL refuses never takes its neighbours along. An owner finds only
what is theirs, and no correction is drawn from another's mail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from tournee.db.pool import CONTENDED, UNAVAILABLE, Connection, Pool
from tournee.db.queries import load_queries
from tournee.integrations.local.index.query import (
    Clause,
    allow_edits,
    cut_query,
    measure_edits,
    parse_query,
    replace_words,
)
from tournee.integrations.local.index.wording import (
    MARK_START,
    MARK_STOP,
    list_vocabulary,
    make_storable,
    normalise_words,
)
from tournee.pipeline.ports import SearchDocument, SearchHit, SearchResult

SQL = load_queries("tournee.integrations.local.index")

MAX_BODY_BYTES = 200_000
MAX_FIELD_BYTES = 8_000
MAX_BATCH_DOCUMENTS = 100
MAX_BATCH_CHARACTERS = 2_000_000
MAX_VOCABULARY_WORDS = 500_000
MAX_RANKED_MATCHES = 2_000
"""A query that matches more is ranked among its freshest matches; `total` still counts all."""

MAX_PAGE = 100
MAX_OFFSET = 10_000
_SNIPPET_CHARACTERS = 40_000
_SNIPPET_OPTIONS = (
    f"StartSel={MARK_START}, StopSel={MARK_STOP}, MaxFragments=2, MaxWords=28, MinWords=12, "
    'ShortWord=2, FragmentDelimiter=" … "'
)
_SIMILAR_WORDS = 40
_SIMILARITY = "0.2"
"""Two swapped letters in a word of six leave a trigram similarity of 0.27."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A document as it is stored, with its normalised texts."""

    document: SearchDocument
    columns: tuple[object, ...]
    words: tuple[str, ...]


class EmbeddedIndex:
    """Search in the database that is there anyway. `pool` is asyncpg's, or anything with its `acquire()`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def put(self, documents: Sequence[SearchDocument]) -> Mapping[int, str]:
        """Index all, replacing by newsletter_id; answers error texts by id for those that were refused.

        Durable when it returns; called again with the same documents it changes nothing. Raises what means that
        PostgreSQL is away or contended (`UNAVAILABLE`, `CONTENDED`): then some may be indexed, and all may be put
        again.
        """
        latest = {document.newsletter_id: document for document in documents}
        errors: dict[int, str] = {}
        for batch in _split_batches([latest[newsletter_id] for newsletter_id in sorted(latest)]):
            rows = await asyncio.to_thread(_prepare_rows, batch)
            errors.update(await self._put_bisecting(rows))
            accepted = [row for row in rows if row.document.newsletter_id not in errors]
            words = await asyncio.to_thread(list_vocabulary, [text for row in accepted for text in row.words])
            await self._put_words(words)
        return errors

    async def remove(self, newsletter_ids: Sequence[int]) -> None:
        """Take newsletters out; unknown ids are no error."""
        await self._remove_documents(list(newsletter_ids))

    async def search(self, query: str, owner_id: int | None, limit: int = 20, offset: int = 0) -> SearchResult:
        """What an owner finds (None: everything, for operators). An empty query finds the latest.

        At most `MAX_PAGE` hits a page. Words that find nothing are mended, and `corrected` says how.
        """
        page = (max(0, min(limit, MAX_PAGE)), max(0, min(offset, MAX_OFFSET)))
        asked = cut_query(query)
        async with self._pool.acquire() as connection:
            if not asked:
                return await self._find_latest(connection, owner_id, page)
            clauses = parse_query(asked)
            if not clauses:
                return SearchResult((), 0, None)
            result = await self._find_documents(connection, clauses, owner_id, page)
            if result.total:
                return result
            corrected = await self._mend(connection, asked, clauses, owner_id)
            if corrected is None:
                return result
            mended = await self._find_documents(connection, parse_query(corrected), owner_id, page)
        return SearchResult(mended.hits, mended.total, corrected if mended.total else None)

    async def _put_bisecting(self, rows: Sequence[_Row]) -> dict[int, str]:
        try:
            await self._put_documents(rows)
        except (*UNAVAILABLE, *CONTENDED) as error:
            # A value that the driver can't encode is an InterfaceError too, but it is this document's fault.
            if not isinstance(error, ValueError):
                raise
            failure: Exception = error
        except (asyncpg.PostgresError, ValueError) as error:
            failure = error
        else:
            return {}
        if len(rows) == 1:
            return {rows[0].document.newsletter_id: f"{type(failure).__name__}: {failure}"}
        middle = len(rows) // 2
        return await self._put_bisecting(rows[:middle]) | await self._put_bisecting(rows[middle:])

    async def _put_documents(self, rows: Sequence[_Row]) -> None:
        columns = zip(*((*row.columns, *row.words) for row in rows), strict=True)
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL.put_documents, *map(list, columns))

    async def _remove_documents(self, newsletter_ids: list[int]) -> None:
        async with self._pool.acquire() as connection:
            await connection.execute(SQL.remove_documents, newsletter_ids)

    async def _put_words(self, words: Sequence[str]) -> None:
        if words:
            async with self._pool.acquire() as connection:
                await connection.execute(SQL.put_words, list(words), MAX_VOCABULARY_WORDS)

    async def _find_latest(self, connection: Connection, owner_id: int | None, page: tuple[int, int]) -> SearchResult:
        return _read_result(await connection.fetch(SQL.find_latest, owner_id, *page))

    async def _find_documents(
        self, connection: Connection, clauses: Sequence[Clause], owner_id: int | None, page: tuple[int, int]
    ) -> SearchResult:
        records = await connection.fetch(
            SQL.find_documents,
            [clause.words for clause in clauses],
            [clause.alternative for clause in clauses],
            [clause.excluded for clause in clauses],
            [clause.open for clause in clauses],
            owner_id,
            *page,
            MAX_RANKED_MATCHES,
            _SNIPPET_OPTIONS,
            _SNIPPET_CHARACTERS,
        )
        return _read_result(records)

    async def _mend(
        self, connection: Connection, asked: str, clauses: Sequence[Clause], owner_id: int | None
    ) -> str | None:
        """The query with the words that find nothing by themselves replaced by their nearest; None if none could be."""
        replacements: dict[int, str] = {}
        for position, clause in enumerate(clauses):
            if clause.excluded or clause.is_phrase or not clause.words.isalpha() or not allow_edits(clause.words):
                continue
            if (await self._find_documents(connection, [clause], owner_id, (0, 0))).total:
                continue
            if nearest := await self._find_nearest_word(connection, clause.words, owner_id):
                replacements[position] = nearest
        return replace_words(asked, clauses, replacements) if replacements else None

    async def _find_similar_words(
        self, connection: Connection, word: str, owner_id: int | None
    ) -> Sequence[asyncpg.Record]:
        async with connection.transaction(readonly=True):
            await connection.execute("SELECT set_config('pg_trgm.similarity_threshold', $1, true)", _SIMILARITY)
            return await connection.fetch(SQL.find_similar_words, word, _SIMILAR_WORDS, owner_id)

    async def _find_nearest_word(self, connection: Connection, word: str, owner_id: int | None) -> str | None:
        found = await self._find_similar_words(connection, word, owner_id)
        near = [(measure_edits(row["asked"], row["word"]), place, row["word"]) for place, row in enumerate(found)]
        allowed = [entry for entry in near if 0 < entry[0] <= allow_edits(word)]
        return str(min(allowed)[2]) if allowed else None


def _split_batches(documents: Sequence[SearchDocument]) -> Iterator[list[SearchDocument]]:
    batch: list[SearchDocument] = []
    characters = 0
    for document in documents:
        size = min(len(document.body), MAX_BODY_BYTES)
        if batch and (len(batch) == MAX_BATCH_DOCUMENTS or characters + size > MAX_BATCH_CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(document)
        characters += size
    if batch:
        yield batch


def _prepare_rows(documents: Sequence[SearchDocument]) -> list[_Row]:
    rows = []
    for document in documents:
        title, summary, sender = (
            make_storable(text, MAX_FIELD_BYTES) for text in (document.title, document.summary, document.sender)
        )
        topics = make_storable("\n".join(topic.replace("\n", " ") for topic in document.topics), MAX_FIELD_BYTES)
        body = make_storable(document.body[:MAX_BODY_BYTES], MAX_BODY_BYTES)
        columns = (
            document.newsletter_id,
            document.owner_id,
            make_storable(document.language, 35),
            title,
            summary,
            sender,
            topics,
            body,
            document.sent_at,
        )
        rows.append(_Row(document, columns, tuple(map(normalise_words, (title, summary, topics, sender, body)))))
    return rows


def _read_result(records: Sequence[asyncpg.Record]) -> SearchResult:
    total = records[0]["total"] if records else 0
    hits = [_read_hit(record) for record in records if record["newsletter_id"] is not None]
    return SearchResult(hits, total, None)


def _read_hit(record: asyncpg.Record) -> SearchHit:
    snippet = record["snippet"] or ""
    if MARK_START not in snippet and record["summary"]:
        snippet = record["summary"]
    return SearchHit(
        newsletter_id=record["newsletter_id"],
        title=record["title"],
        sender=record["sender"],
        snippet=" ".join(snippet.split()),
        language=record["language"],
        sent_at=record["sent_at"],
        rank=float(record["rank"]),
    )
