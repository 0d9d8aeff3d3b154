"""fetchEmails: one job at a time has a mailbox, bursts coalesce, every message gives one row."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from datetime import timedelta
from pathlib import Path

from tests.support.pipeline import OWNER, Pipeline, write_letter, write_newsletter
from tournee.engine.client import Operator
from tournee.integrations.imports.source import ImportSource, PageLimits
from tournee.pipeline.core.mail.limits import MESSAGE_BYTES
from tournee.pipeline.importing import ImportRequest
from tournee.pipeline.store.imports import StagedMail, begin_import, insert_staged_mails
from tournee.pipeline.store.mailboxes import ensure_mailbox, ensure_owner, lock_mailbox, take_mailbox
from tournee.pipeline.sync_requests import request_sync


async def stage(pipeline: Pipeline, *mails: bytes, sync: bool = True) -> int:
    """Hand mails to the mailbox `import`; answers its id."""
    staged = [StagedMail(hashlib.sha256(raw).digest(), "mail", len(raw), zlib.compress(raw)) for raw in mails]
    async with pipeline.engine.transaction() as tx:
        owner_id = await ensure_owner(tx.connection, OWNER)
        mailbox = await ensure_mailbox(tx.connection, "import", owner_id, "import")
        import_id = await begin_import(tx.connection, mailbox.id, "test", True)
        await insert_staged_mails(tx.connection, mailbox.id, import_id, staged)
        if sync:
            await request_sync(tx, mailbox.id)
    return mailbox.id


async def request(pipeline: Pipeline, mailbox_id: int) -> None:
    async with pipeline.engine.transaction() as tx:
        await request_sync(tx, mailbox_id)


async def wait_for_messages(pipeline: Pipeline, expected: int) -> None:
    async def stored() -> bool:
        return await pipeline.count("SELECT count(*) FROM news.messages") == expected

    await pipeline.wait_until(stored)


async def wait_for_rest(pipeline: Pipeline) -> None:
    async def at_rest() -> bool:
        return await pipeline.count_live_jobs() == 0

    await pipeline.wait_until(at_rest)


async def count_syncs(pipeline: Pipeline) -> int:
    return await pipeline.count("SELECT count(*) FROM engine.jobs WHERE queue = 'fetchEmails'")


async def test_any_number_of_requests_before_a_run_are_one_job(pipeline: Pipeline) -> None:
    mailbox_id = await stage(pipeline, write_letter("one"))
    for _ in range(5):
        await request(pipeline, mailbox_id)
    assert await count_syncs(pipeline) == 1


async def test_requests_during_a_run_are_exactly_one_more_job(pipeline: Pipeline) -> None:
    mailbox_id = await stage(pipeline, write_letter("one"))
    pipeline.reader.gate.clear()
    await pipeline.start()
    await pipeline.reader.entered.wait()
    await stage(pipeline, write_letter("two"))
    for _ in range(5):
        await request(pipeline, mailbox_id)
    pipeline.reader.gate.set()
    await wait_for_messages(pipeline, 2)
    await wait_for_rest(pipeline)
    assert await count_syncs(pipeline) == 2


async def test_a_job_waits_for_the_mailbox_without_using_an_attempt(pipeline: Pipeline) -> None:
    mailbox_id = await stage(pipeline, write_letter("one"))
    async with pipeline.engine.transaction() as tx:
        await take_mailbox(tx.connection, mailbox_id, 999_999, timedelta(hours=1))
    await pipeline.start()

    async def waits() -> bool:
        return await pipeline.count("SELECT snoozes FROM engine.jobs WHERE queue = 'fetchEmails'") >= 1

    await pipeline.wait_until(waits)
    await pipeline.pool.execute("UPDATE news.mailboxes SET syncing_until = now() - interval '1 s'")
    await pipeline.pool.execute("UPDATE engine.jobs SET run_at = now(); UPDATE engine.ready SET run_at = now()")
    await wait_for_messages(pipeline, 1)
    await wait_for_rest(pipeline)
    row = await pipeline.fetch_row("SELECT attempt, state FROM engine.jobs WHERE queue = 'fetchEmails'")
    assert (row["attempt"], row["state"]) == (0, "completed")


async def test_a_run_that_lost_the_mailbox_stores_nothing_twice(pipeline: Pipeline) -> None:
    await stage(pipeline, write_newsletter("one"), write_letter("two"))
    pipeline.reader.gate.clear()
    await pipeline.start()
    await pipeline.reader.entered.wait()
    await pipeline.pool.execute(
        "UPDATE news.mailboxes SET syncing_job = 999999, syncing_until = clock_timestamp() + interval '1 s'"
    )
    pipeline.reader.gate.set()
    await wait_for_messages(pipeline, 2)
    await wait_for_rest(pipeline)
    assert await pipeline.count("SELECT count(*) FROM engine.jobs WHERE queue = 'processMails'") == 1
    assert await pipeline.count("SELECT sum(attempt) FROM engine.jobs") == 0
    assert await pipeline.count("SELECT count(*) FROM news.mailboxes WHERE syncing_job IS NULL") == 1


async def test_a_disconnected_mailbox_is_left_alone_and_its_next_request_is_a_new_job(pipeline: Pipeline) -> None:
    mailbox_id = await stage(pipeline, write_letter("one"))
    await pipeline.pool.execute("UPDATE news.mailboxes SET connected = false")
    await pipeline.start()
    await wait_for_rest(pipeline)
    assert await pipeline.count("SELECT count(*) FROM news.messages") == 0
    await pipeline.pool.execute("UPDATE news.mailboxes SET connected = true")
    await request(pipeline, mailbox_id)
    await wait_for_messages(pipeline, 1)


async def test_a_job_that_died_does_not_swallow_later_requests(pipeline: Pipeline) -> None:
    mailbox_id = await stage(pipeline, write_letter("one"))
    job_id = await pipeline.pool.fetchval("SELECT id FROM engine.jobs")
    await pipeline.engine.cancel([job_id], Operator("test", "not now"))
    await request(pipeline, mailbox_id)
    await pipeline.start()
    await wait_for_messages(pipeline, 1)


async def test_a_mailbox_whose_fetch_dies_says_why_and_the_administrators_know(pipeline: Pipeline) -> None:
    await stage(pipeline, write_letter("one"))
    await pipeline.pool.execute("UPDATE news.mailboxes SET source = 'pigeon'")
    await pipeline.start()
    await wait_for_rest(pipeline)
    row = await pipeline.fetch_row("SELECT last_error, syncing_job FROM news.mailboxes")
    assert "pigeon" in row["last_error"]
    assert row["syncing_job"] is None
    assert {email.subject for email in pipeline.mailer.sent} == {"[Tournée] Mailbox not synchronised: import"}


async def test_a_message_that_cannot_be_read_is_kept_raw(pipeline: Pipeline) -> None:
    raw = b"Subject: parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 2_100
    await stage(pipeline, raw)
    await pipeline.start()
    await wait_for_messages(pipeline, 1)
    row = await pipeline.fetch_row("SELECT class, raw, parse_notes FROM news.messages")
    assert row["class"] == "unparsable"
    assert zlib.decompress(row["raw"]) == raw
    assert row["parse_notes"] != []


async def test_an_oversized_message_is_unparsable_and_its_beginning_is_kept(pipeline: Pipeline) -> None:
    await stage(pipeline, b"Subject: long\r\n\r\n" + b"x" * (MESSAGE_BYTES + 5))
    await pipeline.start()
    await wait_for_messages(pipeline, 1)
    row = await pipeline.fetch_row("SELECT class, size, raw FROM news.messages")
    assert row["class"] == "unparsable"
    assert row["size"] == MESSAGE_BYTES + 22
    assert len(zlib.decompress(row["raw"])) == MESSAGE_BYTES


async def test_the_same_bytes_in_one_mailbox_are_one_message(pipeline: Pipeline) -> None:
    await stage(pipeline, write_letter("one"), write_letter("one"))
    await pipeline.start()
    await wait_for_messages(pipeline, 1)
    await wait_for_rest(pipeline)
    assert await pipeline.count("SELECT count(*) FROM news.messages") == 1


async def test_many_pages_are_fetched_one_after_the_other(pipeline: Pipeline) -> None:
    await stage(pipeline, *(write_letter(f"letter {number}") for number in range(90)))
    await pipeline.start()
    await wait_for_messages(pipeline, 90)
    await wait_for_rest(pipeline)
    assert await count_syncs(pipeline) == 3


async def test_a_page_is_bounded_by_count_and_by_size_but_never_empty(pipeline: Pipeline) -> None:
    mailbox_id = await stage(pipeline, b"a" * 10, b"b" * 10, b"c" * 100, b"d" * 10, sync=False)
    source = ImportSource(pipeline.pool, PageLimits(messages=3, size_bytes=25))
    cursor: dict[str, int] = {}
    sizes: list[list[int]] = []
    more = True
    while more:
        page = await source.fetch(mailbox_id, cursor)
        sizes.append([len(message.raw) for message in page.messages])
        cursor, more = dict(page.cursor), page.has_more
    assert sizes == [[10, 10], [100], [10]]
    assert (await source.fetch(mailbox_id, cursor)).messages == ()


async def test_two_imports_into_one_mailbox_at_once_keep_the_order_of_ids(pipeline: Pipeline, tmp_path: Path) -> None:
    for side in ("left", "right"):
        (tmp_path / side).mkdir()
        for number in range(30):
            (tmp_path / side / f"{number}.eml").write_bytes(write_letter(f"{side} {number}"))
    await pipeline.start()
    outcomes = await asyncio.gather(
        *(pipeline.importer.run(ImportRequest(tmp_path / side)) for side in ("left", "right"))
    )
    assert [(one.summary.messages, one.summary.lost) for one in outcomes] == [(30, 0), (30, 0)]


async def test_a_held_mailbox_is_seen_as_held_by_others_only(pipeline: Pipeline) -> None:
    mailbox_id = await stage(pipeline, sync=False)
    async with pipeline.engine.transaction() as tx:
        await take_mailbox(tx.connection, mailbox_id, 5, timedelta(minutes=1))
        mine, others = [await lock_mailbox(tx.connection, mailbox_id, job) for job in (5, 6)]
    assert mine is not None
    assert others is not None
    assert (mine.held, others.held) == (False, True)
