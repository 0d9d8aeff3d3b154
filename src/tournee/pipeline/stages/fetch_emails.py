"""fetchEmails: one page of a mailbox's new mail becomes messages, newsletters and their analysis jobs.

Keeps: one job at a time synchronises a mailbox; the cursor advances in the transaction that stores the messages
it covers, only from the value that this job read; every message that arrives gives a row, also one that cannot
be parsed. A run that lost the mailbox meanwhile changes nothing.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from tournee.engine.client import DeadJob, Job, LeaseLost, Priority, ProviderUnavailable, Snooze, Transaction
from tournee.kit.trace import BeginTrace, begin_untraced
from tournee.pipeline.core.mail.limits import MESSAGE_BYTES
from tournee.pipeline.core.payloads import AnalyseNewsletter, SyncMailbox
from tournee.pipeline.core.text import clean_text, clip
from tournee.pipeline.ports import ContentReader, FetchedMessage, FetchedPage, MailSource, MessageClass, ReadMail
from tournee.pipeline.stages.faults import describe_dead_sync, report_fault
from tournee.pipeline.store.imports import add_import_counts
from tournee.pipeline.store.mailboxes import (
    LockedMailbox,
    advance_cursor,
    lock_mailbox,
    raise_generation,
    release_mailbox,
    set_mailbox_error,
    take_mailbox,
)
from tournee.pipeline.store.messages import NewMessage, empty_staged_mails, insert_messages, insert_newsletters
from tournee.pipeline.sync_requests import request_sync

MAX_ERROR = 500
RAW_KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """`hold`: how long a mailbox stays with a job that says nothing more; above the job's time limit.

    `raw_kept`: how long the bytes of a message are kept beside what was read in them.
    """

    hold: timedelta = timedelta(minutes=3)
    wait_for_mailbox: timedelta = timedelta(seconds=1)
    message_bytes: int = MESSAGE_BYTES
    raw_kept: timedelta = RAW_KEPT


class FetchEmails:
    """Handler of `SyncMailbox`. `sources` by the mailbox's source; a mailbox of another source fails its job."""

    def __init__(
        self,
        sources: Mapping[str, MailSource],
        reader: ContentReader,
        limits: FetchLimits | None = None,
        begin_trace: BeginTrace = begin_untraced,
    ) -> None:
        self._sources = sources
        self._reader = reader
        self._limits = limits or FetchLimits()
        self._begin_trace = begin_trace

    async def handle(self, job: Job[SyncMailbox]) -> None:
        """Take the mailbox, fetch and read a page, store it. Puts itself off while another job has the mailbox."""
        mailbox = await self._take(job)
        if mailbox is None:
            async with job.transaction():
                return
        try:
            page = await self._source_of(mailbox).fetch(mailbox.id, mailbox.cursor)
            messages = await self._read_page(page)
            async with job.transaction() as tx:
                await self._store(tx, job, mailbox, page, messages)
        except BaseException as error:
            await self._release(job, mailbox, error)
            raise

    async def _take(self, job: Job[SyncMailbox]) -> LockedMailbox | None:
        """The mailbox, ours now, with the generation raised; None if there is nothing to synchronise."""
        payload = job.payload
        async with job.step() as tx:
            mailbox = await lock_mailbox(tx.connection, payload.mailbox_id, job.id)
            if mailbox is None:
                return None
            if mailbox.connected and mailbox.held:
                # The generation stays: requests that come while this job waits are still served by it.
                raise Snooze(self._limits.wait_for_mailbox)
            await raise_generation(tx.connection, mailbox.id, payload.generation)
            if not mailbox.connected:
                return None
            await take_mailbox(tx.connection, mailbox.id, job.id, self._limits.hold)
        return mailbox

    def _source_of(self, mailbox: LockedMailbox) -> MailSource:
        source = self._sources.get(mailbox.source)
        if source is None:
            raise LookupError(f"no mail source named {mailbox.source!r} is set up for mailbox {mailbox.name!r}")
        return source

    async def _read_page(self, page: FetchedPage) -> list[NewMessage]:
        """Read all messages at once (the reader's pool sets the pace) and compress them beside the event loop."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._read(message)) for message in page.messages]
        except ExceptionGroup as errors:
            # What it means for the attempt is told by the class of the first one.
            raise errors.exceptions[0] from errors
        return [task.result() for task in tasks]

    async def _read(self, message: FetchedMessage) -> NewMessage:
        # A page holds many messages, and each has a way of its own from here on.
        with self._begin_trace(SyncMailbox.queue_name) as trace_context:
            return await self._read_traced(message, trace_context)

    async def _read_traced(self, message: FetchedMessage, trace_context: str) -> NewMessage:
        limit = self._limits.message_bytes
        size = message.size if message.size is not None else len(message.raw)
        if max(size, len(message.raw)) > limit:
            note = f"larger than {limit} bytes: only its beginning is kept"
            mail = ReadMail(message_class=MessageClass.UNPARSABLE, notes=(note,))
        else:
            mail = await self._reader.read(message.raw)
        return NewMessage(
            provider_id=message.provider_id,
            import_id=message.import_id,
            name=clean_text(message.name),
            size=size,
            raw=await asyncio.to_thread(zlib.compress, message.raw[:limit]),
            received_at=message.received_at,
            trace_context=trace_context,
            mail=mail,
        )

    async def _store(
        self,
        tx: Transaction,
        job: Job[SyncMailbox],
        mailbox: LockedMailbox,
        page: FetchedPage,
        messages: Sequence[NewMessage],
    ) -> None:
        if not await advance_cursor(tx.connection, mailbox.id, job.id, mailbox.cursor, page.cursor):
            # Another job took the mailbox after our hold ran out, and may have stored this very page.
            raise Snooze(self._limits.wait_for_mailbox)
        new_ids = await insert_messages(tx.connection, mailbox.id, messages, self._limits.raw_kept, job.id)
        await self._settle_imports(tx, mailbox.id, messages, new_ids)
        newsletters = [
            (new_ids[message.provider_id], message)
            for message in _first_of_each(messages)
            if message.provider_id in new_ids and message.mail.message_class is MessageClass.NEWSLETTER
        ]
        await insert_newsletters(tx.connection, {new_id: message.mail for new_id, message in newsletters})
        priority = Priority.BACKFILL if any(message.import_id for message in messages) else Priority.NORMAL
        await tx.enqueue_many(
            [AnalyseNewsletter(newsletter_id=new_id, mailbox_id=mailbox.id) for new_id, _ in newsletters],
            priority=priority,
            trace_contexts=[message.trace_context for _, message in newsletters],
        )
        if page.has_more:
            await request_sync(tx, mailbox.id, priority=priority)

    async def _settle_imports(
        self, tx: Transaction, mailbox_id: int, messages: Sequence[NewMessage], new_ids: Mapping[str, int]
    ) -> None:
        imported = [message for message in messages if message.import_id is not None]
        if not imported:
            return
        await empty_staged_mails(tx.connection, mailbox_id, [message.provider_id for message in imported])
        known = Counter(message.import_id for message in imported if message.provider_id not in new_ids)
        for import_id, duplicates in known.items():
            assert import_id is not None
            await add_import_counts(tx.connection, import_id, duplicates=duplicates)

    async def _release(self, job: Job[SyncMailbox], mailbox: LockedMailbox, error: BaseException) -> None:
        """Let others have the mailbox at once. What hinders that is no second fault: the hold runs out by itself."""
        shown = None if isinstance(error, (Snooze, LeaseLost, asyncio.CancelledError)) else _describe(error)
        with suppress(Exception):
            async with asyncio.timeout(5), job.step() as tx:
                await release_mailbox(tx.connection, mailbox.id, job.id, shown)


async def on_dead(tx: Transaction, dead: DeadJob, language: str = "en") -> None:
    """Show on the mailbox why it is not synchronised, and tell the administrators in their language."""
    payload = SyncMailbox.model_validate(dead.payload)
    await release_mailbox(tx.connection, payload.mailbox_id, dead.job_id, None)
    name = await set_mailbox_error(tx.connection, payload.mailbox_id, clip(clean_text(dead.error.message), MAX_ERROR))
    if name is not None:
        await report_fault(tx, describe_dead_sync(dead, name, language))


async def on_cancelled(tx: Transaction, dead: DeadJob) -> None:
    """An operator gave the job up: others may have the mailbox at once."""
    payload = SyncMailbox.model_validate(dead.payload)
    await release_mailbox(tx.connection, payload.mailbox_id, dead.job_id, "cancelled by an operator")


async def on_redrive(tx: Transaction, dead: DeadJob) -> None:
    """Take the error away: it is tried again."""
    payload = SyncMailbox.model_validate(dead.payload)
    await set_mailbox_error(tx.connection, payload.mailbox_id, None)


def _first_of_each(messages: Sequence[NewMessage]) -> list[NewMessage]:
    first: dict[str, NewMessage] = {}
    for message in messages:
        first.setdefault(message.provider_id, message)
    return list(first.values())


def _describe(error: BaseException) -> str:
    name = "" if isinstance(error, ProviderUnavailable) else f"{type(error).__name__}: "
    return clip(clean_text(f"{name}{error}"), MAX_ERROR)
