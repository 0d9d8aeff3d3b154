"""One issue to two readers: one analysis that names neither, and links of their own for each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.pipeline import Pipeline
from tournee.integrations.local.analyser import EmbeddedAnalyser
from tournee.pipeline.importing import Importer, ImportRequest
from tournee.pipeline.store.console import ConsoleStore
from tournee.pipeline.store.mailboxes import Owner

READERS = {"alice": "Alice Martin", "bruno": "Bruno Keller"}


def write_issue(reader: str) -> bytes:
    """The copy of one reader: name, address, number and tokens differ, the issue does not."""
    token = {"alice": "Qz81aLp0", "bruno": "Yt37bRw9"}[reader]
    given = READERS[reader].split()[0]
    return (
        f"From: Harbour Post <news@harbour.example>\r\nTo: {READERS[reader]} <{reader}@example.org>\r\n"
        f"Subject: {given}, the new ferry is here\r\nDate: Thu, 01 Jan 2026 08:00:00 +0000\r\n"
        f"Message-ID: <{token}@harbour.example>\r\nList-Id: Harbour Post <post.harbour.example>\r\n"
        f"List-Unsubscribe: <https://harbour.example/u/{token}>\r\nPrecedence: bulk\r\n"
        f"Content-Type: text/html; charset=utf-8\r\n\r\n<html><body><h1>The new ferry</h1>"
        f"<p>Dear {given}, the harbour got its new ferry on Monday and the whole town came to see it.</p>"
        f"<p>The ferry carries four hundred passengers across the bay in twelve minutes. {given}, as our reader of"
        f" many years you will love the harbour. It runs every half hour from the old harbour to the island.</p>"
        f'<p><a href="https://click.example/ls/{token}?to=1&amp;u={reader}">The timetable of the new ferry</a></p>'
        f'<p><a href="https://click.example/ls/{token}?to=2&amp;u={reader}">How the ferry was built in three years</a>'
        f'</p><p>This mail was sent to {reader}@example.org. <a href="https://harbour.example/u/{token}">Unsubscribe'
        f"</a></p></body></html>\r\n"
    ).encode()


@pytest.fixture
async def told(pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """Both have been told of the issue, Alice first."""
    monkeypatch.setattr(pipeline.analyser, "analyse", EmbeddedAnalyser().analyse)
    await pipeline.start()
    for reader in READERS:
        path = tmp_path / f"{reader}.eml"
        path.write_bytes(write_issue(reader))
        importer = Importer(pipeline.engine, pipeline.pool, Owner(reader, f"{reader}@example.org"))
        summary = (await importer.run(ImportRequest(path, mailbox=reader))).summary
        assert (summary.newsletters, summary.notified) == (1, 1)
    return pipeline


async def test_one_issue_to_two_readers_is_one_analysis_that_names_neither(told: Pipeline) -> None:
    rows = await told.pool.fetch("SELECT * FROM news.analyses")
    assert len(rows) == 1
    said = repr(dict(rows[0]))
    assert "ferry carries four hundred passengers" in said
    for word in ("Alice", "alice", "Martin", "Bruno", "bruno", "Qz81aLp0", "Yt37bRw9", "?u="):
        assert word not in said


async def test_each_alert_links_to_the_readers_own_addresses(told: Pipeline) -> None:
    for reader, other in (("alice", "bruno"), ("bruno", "alice")):
        (email,) = [email for email in told.mailer.sent if email.to == f"{reader}@example.org"]
        assert f"?to=1&u={reader}" in email.text
        assert f"?to=2&u={reader}" in email.text
        assert f"u={other}" not in email.text


async def test_the_trace_of_each_copy_shows_its_own_links(told: Pipeline) -> None:
    console = ConsoleStore(told.pool)
    for line in await console.list_newsletters():
        trace = await console.show_trace(line.id)
        assert trace is not None
        urls = [link["url"] for link in trace.message.key_links or ()]
        assert urls
        assert all(url.endswith(f"u={line.mailbox}") for url in urls)
