"""Why does this job wait? Its page says so, from the real ledger; limits and schedules are where one looks for them."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import httpx
import pytest

from tests.support.pipeline import Pipeline
from tests.support.web import HTML, find_job
from tournee.pipeline.core.payloads import SyncMailbox


@pytest.fixture
async def waiting(pipeline: Pipeline) -> int:
    """A job of fetchEmails that nobody takes; a worker for it seems to live, so that only what a test adds is told."""
    async with pipeline.engine.transaction() as tx:
        await tx.enqueue(SyncMailbox(mailbox_id=1, generation=1))
    await pipeline.pool.execute(
        "INSERT INTO engine.workers (id, name, host, pid, queues, started_at, beat_at)"
        " VALUES (gen_random_uuid(), 'w', 'h', 1, $1, now(), now() + interval '1 hour')",
        {"fetchEmails": {"concurrency": 4, "consumed_per_second": 0.0}},
    )
    return await find_job(pipeline, "fetchEmails", "1:1")


async def read_causes(client: httpx.AsyncClient, job: int) -> str:
    page = await client.get(f"/jobs/{job}", headers=HTML)
    assert page.status_code == 200
    found = re.search(r'id="causes".*?</section>', page.text, re.S)
    return unescape(found[0]) if found else ""


ARRANGEMENTS = [
    ("UPDATE engine.queues SET paused = true WHERE name = 'fetchEmails'", "The queue fetchEmails is paused"),
    ("UPDATE engine.providers SET state = 'open', reason = '503 from Gmail', retry_at = now() + interval '5 minutes'",
     "The provider gmail is away (503 from Gmail)"),
    ("UPDATE engine.providers SET state = 'half-open', reason = '503 from Gmail'", "is on trial after an outage"),
    ("DELETE FROM engine.workers", "No living worker takes jobs of fetchEmails"),
    ("UPDATE engine.queues SET concurrency_limit = 1", "The queue's limit is reached: 1 in flight of at most 1"),
    ("UPDATE engine.queues SET tenant_concurrency_limit = 1", "The limit of its tenant mailbox:1 is reached"),
    ("UPDATE engine.queues SET rate_limit = 1, rate_period = '1 hour'",
     "The queue's rate of 1 per h is used up"),
    ("UPDATE engine.queues SET tenant_rate_limit = 1, tenant_rate_period = '1 hour'",
     "The rate of its tenant mailbox:1, 1 per h, is used up"),
]  # fmt: skip


@pytest.mark.parametrize(("arrange", "said"), ARRANGEMENTS, ids=[said for _, said in ARRANGEMENTS])
async def test_a_job_says_what_it_waits_for(
    pipeline: Pipeline, browser: httpx.AsyncClient, waiting: int, arrange: str, said: str
) -> None:
    assert "Nothing holds it up" in await read_causes(browser, waiting)
    # Another job of the same tenant is in flight, and took the last token of queue and tenant.
    await pipeline.pool.execute(
        "INSERT INTO engine.inflight (queue, job_id, tenant) VALUES ('fetchEmails', 999999, 'mailbox:1')"
    )
    await pipeline.pool.execute(
        "INSERT INTO engine.rate_buckets (queue, scope, tenant, tokens, refilled_at)"
        " VALUES ('fetchEmails', 'queue', '', 0, now()), ('fetchEmails', 'tenant', 'mailbox:1', 0, now())"
    )
    assert "Nothing holds it up" in await read_causes(browser, waiting)
    await pipeline.pool.execute(arrange)
    assert said in await read_causes(browser, waiting)


async def test_a_job_that_is_not_due_says_when_it_is(pipeline: Pipeline, browser: httpx.AsyncClient) -> None:
    async with pipeline.engine.transaction() as tx:
        await tx.enqueue(SyncMailbox(mailbox_id=1, generation=2), delay=timedelta(days=2))
    assert "It is not due before" in await read_causes(browser, await find_job(pipeline, "fetchEmails", "1:2"))


async def test_a_job_that_does_not_wait_gives_no_reason(worked: Pipeline, browser: httpx.AsyncClient) -> None:
    for job in await worked.pool.fetch("SELECT id FROM engine.jobs"):
        assert await read_causes(browser, job["id"]) == ""


async def test_limits_and_schedules_stand_on_the_first_page_and_in_the_api(
    pipeline: Pipeline, browser: httpx.AsyncClient, program: httpx.AsyncClient
) -> None:
    assert "Schedules" not in (await browser.get("/", headers=HTML)).text
    await pipeline.pool.execute(
        "UPDATE engine.queues SET concurrency_limit = 20, rate_limit = 100, rate_period = '1 minute'"
        " WHERE name = 'processMails'"
    )
    await pipeline.pool.execute(
        "INSERT INTO engine.schedules (name, cron, time_zone, queue, kind, missed, next_at, last_fired_at)"
        " VALUES ('nightly', '30 3 * * *', 'Europe/Berlin', 'fetchEmails', 'sync-mailbox', 'latest',"
        " '2030-01-02 02:30+00', '2030-01-01 02:30+00')"
    )
    async with pipeline.engine.transaction() as tx:
        await tx.enqueue(SyncMailbox(mailbox_id=1, generation=3))
    await pipeline.pool.execute("UPDATE engine.jobs SET key = 'nightly@2030-01-01T02:30:00Z'")

    async def is_shown() -> bool:
        return "nightly" in (await browser.get("/", headers=HTML)).text

    await pipeline.wait_until(is_shown)
    page = unescape((await browser.get("/", headers=HTML)).text)
    assert "at most 20 in flight · 100 per min" in page
    for word in ("30 3 * * *", "Europe/Berlin", "1 Jan 2030, 02:30", "not served"):
        assert word in page
    job = await pipeline.count("SELECT id FROM engine.jobs")
    assert 'href="/#schedule-nightly"' in (await browser.get(f"/jobs/{job}", headers=HTML)).text
    status = (await program.get("/api/status")).json()
    limits = next(row["limits"] for row in status["queues"] if row["queue"] == "processMails")
    assert (limits["concurrency"], limits["rate_count"], limits["rate_seconds"]) == (20, 100, 60.0)
    assert limits["rate_left"] == 100
    assert [row["name"] for row in status["schedules"]] == ["nightly"]


async def test_a_message_names_the_job_that_brought_it(worked: Pipeline, browser: httpx.AsyncClient) -> None:
    rows = await worked.pool.fetch("SELECT id, fetch_job_id FROM news.messages")
    brought = {row["fetch_job_id"] for row in rows}
    assert await worked.count(
        "SELECT count(*) FROM engine.jobs WHERE queue = 'fetchEmails' AND id = ANY ($1)", list(brought)
    ) == len(brought)
    # Another synchronisation of the mailbox that seems to have been at work at that time is not taken for it.
    await worked.pool.execute("UPDATE news.mailboxes SET generation = generation + 1")
    async with worked.engine.transaction() as tx:
        mailbox = await worked.fetch_row("SELECT id, generation FROM news.mailboxes")
        await tx.enqueue(SyncMailbox(mailbox_id=mailbox["id"], generation=mailbox["generation"]))
    other = await find_job(worked, "fetchEmails", f"{mailbox['id']}:{mailbox['generation']}")
    await worked.pool.execute(
        "UPDATE engine.jobs SET started_at = now() - interval '1 hour', finished_at = now() + interval '1 hour'"
        " WHERE id = $1",
        other,
    )
    for row in rows:
        page = (await browser.get(f"/messages/{row['id']}", headers=HTML)).text
        assert f'href="/jobs/{row["fetch_job_id"]}"' in page
        assert f'href="/jobs/{other}"' not in page
