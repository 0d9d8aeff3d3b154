"""`tournee import` brings every mail to its end and can say where each of them is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from tests.support.pipeline import ADMINISTRATORS, Pipeline, write_letter, write_newsletter
from tournee.engine.client import Operator
from tournee.pipeline.importing import ImportProgress, ImportRefused, ImportRequest, Phase, walk
from tournee.pipeline.ports import Email, Rejected

BAD = "poisoned"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four issues of which two have the same content, a letter, and a file that is no mail."""
    root = tmp_path / "mails"
    root.mkdir()
    (root / "1.eml").write_bytes(write_newsletter("Monday"))
    (root / "2.eml").write_bytes(write_newsletter("Tuesday", body="The same text in both. " * 9, name="Weekly"))
    (root / "3.eml").write_bytes(write_newsletter("Tuesday", body="The same text in both. " * 9, name="Weekly") + b"\n")
    (root / "4.eml").write_bytes(write_newsletter(BAD))
    (root / "5.eml").write_bytes(write_letter("Tomorrow"))
    (root / "notes.txt").write_bytes(b"nothing but words\n")
    return root


async def test_every_mail_comes_to_its_end_and_the_equations_hold(pipeline: Pipeline, folder: Path) -> None:
    looks: list[ImportProgress] = []
    await pipeline.start()
    outcome = await pipeline.importer.run(ImportRequest(folder), looks.append)
    summary = outcome.summary.as_object()
    assert summary.pop("seconds") > 0
    assert summary == {
        "messages": 5,
        "newsletters": 4,
        "confirmations": 0,
        "others": 1,
        "unparsable": 0,
        "analysed": 3,
        "cache_hits": 1,
        "invalid": 0,
        "indexed": 4,
        "notified": 4,
        "duplicates": 0,
        "not_mail": 1,
        "failed": 0,
        "dead": 0,
        "lost": 0,
    }
    assert outcome.summary.accounted_for
    assert [other.name for other in outcome.not_mail] == ["notes.txt"]
    assert looks[-1].phase is Phase.DONE
    assert looks[-1].done == looks[-1].total
    assert len({email.message_id for email in pipeline.mailer.sent}) == 4
    assert await pipeline.count_live_jobs() == 0


async def test_the_raw_mail_is_kept_once(pipeline: Pipeline, folder: Path) -> None:
    await pipeline.start()
    await pipeline.importer.run(ImportRequest(folder))
    assert await pipeline.count("SELECT count(*) FROM news.staged_mails WHERE raw <> ''") == 0
    assert await pipeline.count("SELECT count(*) FROM news.messages WHERE octet_length(raw) > 0") == 5


async def test_importing_again_finds_only_duplicates_and_tells_nobody_again(pipeline: Pipeline, folder: Path) -> None:
    await pipeline.start()
    await pipeline.importer.run(ImportRequest(folder))
    told = len(pipeline.mailer.sent)
    again = await pipeline.importer.run(ImportRequest(folder))
    assert (again.summary.messages, again.summary.duplicates, again.summary.lost) == (0, 5, 0)
    assert len(pipeline.mailer.sent) == told


async def test_an_import_without_notifications_tells_nobody(pipeline: Pipeline, folder: Path) -> None:
    await pipeline.start()
    outcome = await pipeline.importer.run(ImportRequest(folder, notifies=False))
    assert (outcome.summary.indexed, outcome.summary.notified) == (4, 0)
    assert pipeline.mailer.sent == []


async def test_a_newsletter_that_fails_three_times_is_invalid_and_the_administrators_know(
    pipeline: Pipeline, folder: Path
) -> None:
    pipeline.analyser.fault = lambda request: Rejected("malformed answer") if request.subject == BAD else None
    await pipeline.start()
    summary = (await pipeline.importer.run(ImportRequest(folder))).summary
    assert (summary.invalid, summary.dead, summary.failed, summary.lost) == (1, 1, 3, 0)
    assert summary.newsletters == summary.analysed + summary.cache_hits + summary.invalid
    notices = [email for email in pipeline.mailer.sent if email.to in ADMINISTRATORS]
    assert sorted(email.to for email in notices) == sorted(ADMINISTRATORS)
    assert all(BAD in email.subject and "malformed answer" in email.text for email in notices)
    reason = await pipeline.pool.fetchval("SELECT invalid_reason FROM news.newsletters WHERE state = 'invalid'")
    assert reason == "Rejected: malformed answer"


async def test_a_redriven_newsletter_is_analysed_and_counted_once(pipeline: Pipeline, folder: Path) -> None:
    pipeline.analyser.fault = lambda request: Rejected("malformed answer") if request.subject == BAD else None
    await pipeline.start()
    await pipeline.importer.run(ImportRequest(folder))
    pipeline.analyser.fault = lambda request: None
    dead = await pipeline.pool.fetchval("SELECT job_id FROM engine.dead")
    await pipeline.engine.redrive([dead], Operator("test", "mended"))
    states = "SELECT count(*) FROM news.newsletters WHERE state = 'indexed' AND invalid_reason IS NULL"

    async def all_indexed() -> bool:
        return await pipeline.count(states) == 4

    await pipeline.wait_until(all_indexed)
    sql = "SELECT count(*) FROM news.newsletters WHERE analysis_id IS NOT NULL AND cache_hit = $1"
    assert (await pipeline.count(sql, False), await pipeline.count(sql, True)) == (3, 1)


async def test_a_refused_document_fails_alone(pipeline: Pipeline, folder: Path) -> None:
    pipeline.index.refused = {"Monday"}
    await pipeline.start()
    summary = (await pipeline.importer.run(ImportRequest(folder))).summary
    assert (summary.indexed, summary.notified, summary.dead, summary.failed, summary.lost) == (3, 3, 1, 3, 0)
    error = await pipeline.pool.fetchval("SELECT index_error FROM news.newsletters WHERE index_error IS NOT NULL")
    assert error == "Rejected: refused"


async def test_an_alert_that_cannot_be_sent_is_failed_with_its_reason(pipeline: Pipeline, folder: Path) -> None:
    def refuse(email: Email) -> Rejected | None:
        return Rejected("550 no such user") if "Monday" in email.subject else None

    pipeline.mailer.fault = refuse
    await pipeline.start()
    summary = (await pipeline.importer.run(ImportRequest(folder))).summary
    assert (summary.notified, summary.dead, summary.failed) == (3, 1, 3)
    assert await pipeline.count("SELECT count(*) FROM news.deliveries WHERE error = 'Rejected: 550 no such user'") == 1


async def test_a_cancelled_analysis_leaves_nobody_waiting(pipeline: Pipeline, folder: Path) -> None:
    pipeline.analyser.gate.clear()
    await pipeline.start()
    importing = asyncio.create_task(pipeline.importer.run(ImportRequest(folder)))
    sql = "SELECT count(*) FROM engine.jobs WHERE queue = 'processMails'"

    async def all_enqueued() -> bool:
        return await pipeline.count(sql) == 4

    await pipeline.wait_until(all_enqueued)
    job_id = await pipeline.pool.fetchval(
        "SELECT j.id FROM engine.jobs j JOIN news.messages m ON m.id::text = j.key"
        " WHERE j.queue = 'processMails' AND m.subject = $1",
        BAD,
    )
    await pipeline.engine.cancel([job_id], Operator("test", "not wanted"))
    pipeline.analyser.gate.set()
    summary = (await asyncio.wait_for(importing, 60)).summary
    assert (summary.invalid, summary.lost, summary.dead) == (1, 0, 0)


async def test_one_trace_follows_each_newsletter(pipeline: Pipeline, folder: Path) -> None:
    await pipeline.start()
    await pipeline.importer.run(ImportRequest(folder))
    rows = await pipeline.pool.fetch(
        "SELECT split_part(m.trace_context, '-', 2) AS trace,"
        " array_agg(DISTINCT split_part(j.trace_context, '-', 2)) AS t,"
        " count(j.id) AS jobs FROM news.messages m JOIN news.newsletters n ON n.id = m.id"
        " LEFT JOIN news.deliveries d ON d.newsletter_id = n.id"
        " JOIN engine.jobs j ON (j.queue IN ('processMails', 'indexNews') AND j.key = n.id::text)"
        " OR (j.queue = 'sendNotifications' AND j.key = 'delivery:' || d.id) GROUP BY 1"
    )
    assert len(rows) == 4
    assert all(row["jobs"] == 3 and row["t"] == [row["trace"]] for row in rows)


async def test_a_path_that_is_not_there_is_refused_before_anything_is_written(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    with pytest.raises(ImportRefused, match="does not exist"):
        await pipeline.importer.run(ImportRequest(tmp_path / "missing"))
    assert await pipeline.count("SELECT count(*) FROM news.imports") == 0


async def test_an_empty_folder_is_an_import_of_nothing(pipeline: Pipeline, tmp_path: Path) -> None:
    summary = (await pipeline.importer.run(ImportRequest(tmp_path))).summary
    assert (summary.messages, summary.lost) == (0, 0)


async def test_mail_of_another_source_is_not_mixed_with_imports(pipeline: Pipeline, folder: Path) -> None:
    await pipeline.importer.run(ImportRequest(folder.parent / "mails" / "notes.txt", mailbox="work"))
    await pipeline.pool.execute("UPDATE news.mailboxes SET source = 'gmail' WHERE name = 'work'")
    with pytest.raises(ImportRefused, match="fed by gmail"):
        await pipeline.importer.run(ImportRequest(folder, mailbox="work"))


async def test_an_import_cut_short_loses_nothing_and_a_second_run_knows(pipeline: Pipeline, folder: Path) -> None:
    importing = asyncio.create_task(pipeline.importer.run(ImportRequest(folder)))

    async def all_staged() -> bool:
        return await pipeline.count("SELECT count(*) FROM news.staged_mails") == 5

    await pipeline.wait_until(all_staged)
    importing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await importing
    await pipeline.start()

    async def all_stored() -> bool:
        return await pipeline.count("SELECT count(*) FROM news.newsletters WHERE state = 'indexed'") == 4

    await pipeline.wait_until(all_stored)
    summary = (await pipeline.importer.run(ImportRequest(folder))).summary
    assert (summary.messages, summary.duplicates, summary.not_mail, summary.lost) == (0, 5, 1, 0)


async def test_an_import_outlasts_cut_connections(
    pipeline: Pipeline, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "BATCH_MAILS", 5)
    for number in range(40):
        (tmp_path / f"{number:02}.eml").write_bytes(write_newsletter(f"Edition {number}"))
    cuts: list[asyncio.Task[None]] = []

    async def cut() -> None:
        connection = await asyncpg.connect(database_url)
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await connection.close()

    def cut_sometimes(progress: ImportProgress) -> None:
        if progress.seen in (10, 25, 40) and len(cuts) < 3 and all(task.done() for task in cuts):
            cuts.append(asyncio.create_task(cut()))

    await pipeline.start()
    summary = (await pipeline.importer.run(ImportRequest(tmp_path), cut_sometimes)).summary
    await asyncio.gather(*cuts)
    assert len(cuts) == 3
    assert (summary.messages, summary.newsletters, summary.indexed, summary.notified) == (40, 40, 40, 40)
    assert (summary.duplicates, summary.lost, summary.dead, summary.failed) == (0, 0, 0, 0)


async def test_the_sample_mailbox_comes_to_its_end(pipeline: Pipeline, corpus: Path) -> None:
    await pipeline.start()
    summary = (await pipeline.importer.run(ImportRequest(corpus / "mail"))).summary
    assert summary.accounted_for
    assert summary.newsletters > 0
    assert (summary.indexed, summary.notified) == (summary.newsletters, summary.newsletters)
    assert (summary.dead, summary.failed) == (0, 0)
