"""indexNews and sendNotifications: who wants to know is told, once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.support.pipeline import OWNER, Pipeline, write_newsletter
from tournee.pipeline.core.rules import make_rule
from tournee.pipeline.importing import ImportRequest
from tournee.pipeline.ports import Email
from tournee.pipeline.store.deliveries import insert_rule
from tournee.pipeline.store.mailboxes import ensure_mailbox, ensure_owner


@pytest.fixture
def issues(tmp_path: Path) -> Path:
    root = tmp_path / "issues"
    root.mkdir()
    for number in range(60):
        (root / f"{number:02}.eml").write_bytes(write_newsletter(f"Edition {number}"))
    return root


async def add_rule(pipeline: Pipeline, target: str, matches: dict[str, object], mailbox: str | None = None) -> None:
    async with pipeline.engine.transaction() as tx:
        owner_id = await ensure_owner(tx.connection, OWNER)
        found = await ensure_mailbox(tx.connection, mailbox, owner_id, "import") if mailbox else None
        await insert_rule(tx.connection, owner_id, found.id if found else None, make_rule("email", target, matches))


async def test_the_default_rule_tells_the_owner_in_the_owners_language(pipeline: Pipeline, issues: Path) -> None:
    await pipeline.start()
    summary = (await pipeline.importer.run(ImportRequest(issues))).summary
    assert summary.notified == 60
    assert {email.to for email in pipeline.mailer.sent} == {OWNER.email}
    assert all("Vous recevez ce message parce que chaque newsletter" in email.text for email in pipeline.mailer.sent)


async def test_newsletters_are_indexed_many_at_a_time(pipeline: Pipeline, issues: Path) -> None:
    await pipeline.start(queues=["fetchEmails", "processMails"])
    run = asyncio.create_task(pipeline.importer.run(ImportRequest(issues)))

    async def all_analysed() -> bool:
        return await pipeline.count("SELECT count(*) FROM news.newsletters WHERE state = 'analysed'") == 60

    await pipeline.wait_until(all_analysed)
    await pipeline.stop()
    await pipeline.start(concurrency=60)
    assert (await run).summary.indexed == 60
    assert sum(pipeline.index.calls) == 60
    assert len(pipeline.index.calls) < 20


async def test_only_what_a_rule_asks_for_is_told(pipeline: Pipeline, issues: Path) -> None:
    await add_rule(pipeline, "sevens@example.org", {"keyword": "edition 7"})
    await add_rule(pipeline, "elsewhere@example.org", {}, mailbox="another")
    await pipeline.start()
    summary = (await pipeline.importer.run(ImportRequest(issues))).summary
    assert (summary.indexed, summary.notified) == (60, 1)
    assert [(email.to, "mot-clé «\u202fedition 7\u202f»" in email.text) for email in pipeline.mailer.sent] == [
        ("sevens@example.org", True)
    ]


async def test_an_alert_sent_again_after_a_failure_bears_the_same_id(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "1.eml").write_bytes(write_newsletter("Monday"))
    seen: list[Email] = []

    def fail_after_sending(email: Email) -> ConnectionError | None:
        seen.append(email)
        return ConnectionError("reset after the data") if len(seen) == 1 else None

    pipeline.mailer.fault = fail_after_sending
    await pipeline.start()
    summary = (await pipeline.importer.run(ImportRequest(tmp_path))).summary
    assert (summary.notified, summary.failed) == (1, 1)
    assert len(seen) == 2
    assert seen[0] == seen[1]


async def test_a_webhook_delivery_is_refused_clearly(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "1.eml").write_bytes(write_newsletter("Monday"))
    await pipeline.start(queues=["fetchEmails", "processMails", "indexNews"])
    run = asyncio.create_task(pipeline.importer.run(ImportRequest(tmp_path)))

    async def planned() -> bool:
        return await pipeline.pool.execute("UPDATE news.deliveries SET channel = 'webhook'") == "UPDATE 1"

    await pipeline.wait_until(planned)
    await pipeline.stop()
    await pipeline.start()
    assert ((await run).summary.notified, pipeline.mailer.sent) == (0, [])
    error = await pipeline.pool.fetchval("SELECT error FROM news.deliveries")
    assert error == "Rejected: channel webhook is not available"
