"""The service behind `tournee import`.

Keeps: each batch is staged together with the request that gets it processed, so that an import that is cut short
loses nothing and a second run goes on; the same bytes are imported once per mailbox; the summary is computed from
what was seen and what the rows say.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tournee.db.pool import UNAVAILABLE, Pool
from tournee.engine.client import Engine, Priority
from tournee.engine.ports import LedgerContended, LedgerUnavailable
from tournee.pipeline.core.summary import ImportCounts, ImportSummary, make_summary
from tournee.pipeline.importing.progress import ImportProgress, Phase
from tournee.pipeline.importing.walk import Batch, NotMail, walk_batches
from tournee.pipeline.store.imports import (
    add_import_counts,
    begin_import,
    count_import_files,
    count_import_jobs,
    finish_import,
    insert_staged_mails,
    read_import_counts,
)
from tournee.pipeline.store.mailboxes import Owner, ensure_mailbox, ensure_owner, lock_mailbox
from tournee.pipeline.store.reading import open_reading
from tournee.pipeline.sync_requests import request_sync

SOURCE = "import"
NAMED_NOT_MAIL = 1_000
"""How many files that are no mail are named; all are counted."""

_SHORTEST_LOOK_SECONDS = 0.2
_LOOK_SHARE = 10
"""Looking takes at most a tenth of the time, however large the import."""

_PAUSE_SECONDS = 0.5
_PASSING: tuple[type[Exception], ...] = (LedgerUnavailable, LedgerContended, *UNAVAILABLE)
"""What an import outlasts."""

T = TypeVar("T")
Report = Callable[[ImportProgress], None]


class ImportRefused(Exception):
    """The path or the mailbox can't be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What to import, into which mailbox, and whether its owner is told of what comes of it.

    `consents` holds only for a mailbox that is made now: its content may go to an outside analyser.
    """

    path: Path
    mailbox: str = "import"
    notifies: bool = True
    consents: bool = False


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """The end of an import: its summary, and what was no mail (the first thousand by name)."""

    import_id: int
    summary: ImportSummary
    not_mail: tuple[NotMail, ...]


@dataclass(slots=True)
class _Run:
    """One import under way."""

    id: int
    mailbox_id: int
    seen: int = 0
    not_mail: int = 0
    named: list[NotMail] = field(default_factory=list)

    def look(self, phase: Phase, counts: ImportCounts | None = None) -> ImportProgress:
        return ImportProgress(phase, self.seen, self.not_mail, counts)


class Importer:
    """Imports through a started `engine`; `pool` is for reading. Workers are the caller's to have running.

    `owner` is who owns mailboxes that are made here; PostgreSQL may be away for `patience_seconds` at a time.
    """

    def __init__(self, engine: Engine, pool: Pool, owner: Owner, patience_seconds: float = 60.0) -> None:
        self._engine = engine
        self._pool = pool
        self._owner = owner
        self._patience_seconds = patience_seconds

    async def run(self, request: ImportRequest, report: Report | None = None) -> ImportOutcome:
        """Stage all, wait until all of it is terminal, sum up. `report` is called with progress, on the event loop.

        Raises `ImportRefused` before anything is written. Cancelling leaves what was staged to the workers.
        """
        tell = report or _tell_nobody
        started = time.monotonic()
        run = await self._begin(request)
        await self._stage(request.path, run, tell)
        counts = await self._wait_until_settled(run, tell)
        failed, dead = await self._outlast(lambda: self._finish(run))
        tell(run.look(Phase.DONE, counts))
        summary = make_summary(run.seen, counts, failed=failed, dead=dead, seconds=time.monotonic() - started)
        return ImportOutcome(run.id, summary, tuple(run.named))

    async def _finish(self, run: _Run) -> tuple[int, int]:
        async with self._engine.transaction() as tx:
            await finish_import(tx.connection, run.id)
            return await count_import_jobs(tx.connection, run.id)

    async def _begin(self, request: ImportRequest) -> _Run:
        if not await asyncio.to_thread(request.path.exists):
            raise ImportRefused(f"{request.path} does not exist")
        async with self._engine.transaction() as tx:
            owner_id = await ensure_owner(tx.connection, self._owner)
            mailbox = await ensure_mailbox(tx.connection, request.mailbox, owner_id, SOURCE, request.consents)
            if mailbox.source != SOURCE:
                raise ImportRefused(
                    f"mailbox {request.mailbox!r} is fed by {mailbox.source}: choose another name with --mailbox"
                )
            import_id = await begin_import(tx.connection, mailbox.id, str(request.path), request.notifies)
        return _Run(import_id, mailbox.id)

    async def _stage(self, path: Path, run: _Run, tell: Report) -> None:
        """The next batch is read while this one is written; at most two are in memory."""
        batches = walk_batches(path)
        coming = asyncio.create_task(_next_batch(batches))
        try:
            while batch := await coming:
                coming = asyncio.create_task(_next_batch(batches))
                await self._stage_batch(run, batch)
                tell(run.look(Phase.STAGING))
        finally:
            coming.cancel()
            with suppress(asyncio.CancelledError):
                await coming

    async def _write_batch(self, run: _Run, batch: Batch) -> None:
        """Stage a batch once: after a lost answer to a COMMIT the count of files says whether it is there."""
        async with self._engine.transaction() as tx:
            mailbox = await lock_mailbox(tx.connection, run.mailbox_id)
            if mailbox is None:
                raise ImportRefused("the mailbox was erased while mails were imported into it")
            if await count_import_files(tx.connection, run.id) == run.seen:
                staged = await insert_staged_mails(tx.connection, run.mailbox_id, run.id, batch.mails)
                await add_import_counts(
                    tx.connection,
                    run.id,
                    files=batch.seen,
                    not_mail=len(batch.not_mail),
                    duplicates=len(batch.mails) - staged,
                )
                if staged:
                    await request_sync(tx, run.mailbox_id, priority=Priority.BACKFILL)

    async def _stage_batch(self, run: _Run, batch: Batch) -> None:
        await self._outlast(lambda: self._write_batch(run, batch))
        run.seen += batch.seen
        run.not_mail += len(batch.not_mail)
        run.named += batch.not_mail[: max(NAMED_NOT_MAIL - len(run.named), 0)]

    async def _wait_until_settled(self, run: _Run, tell: Report) -> ImportCounts:
        while True:
            started = time.monotonic()
            counts = await self._outlast(lambda: self._read_counts(run))
            tell(run.look(Phase.PROCESSING, counts))
            if counts.settled:
                return counts
            took = time.monotonic() - started
            await asyncio.sleep(max(_SHORTEST_LOOK_SECONDS, _LOOK_SHARE * took))

    async def _read_counts(self, run: _Run) -> ImportCounts:
        async with open_reading(self._pool) as connection:
            return await read_import_counts(connection, run.id)

    async def _outlast(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Repeat what PostgreSQL being away or busy made fail, for a while; the last error is raised."""
        deadline = time.monotonic() + self._patience_seconds
        while True:
            try:
                return await attempt()
            except _PASSING:
                # A connection cut while it goes back to the pool raises asyncpg's own error, also after a COMMIT.
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(_PAUSE_SECONDS)


async def _next_batch(batches: Iterator[Batch]) -> Batch | None:
    return await asyncio.to_thread(next, batches, None)


def _tell_nobody(progress: ImportProgress) -> None:
    """Nobody looks."""
