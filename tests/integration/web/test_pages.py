"""The console's pages: what an operator reads and does."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from html import unescape
from pathlib import Path

import httpx
import pytest

from tests.support.pipeline import Pipeline, write_letter, write_newsletter
from tests.support.web import HTML, RunningWeb, find_job, find_message, import_newsletters, post_form
from tests.support.web_fixtures import DOOMED
from tournee.pipeline.core.payloads import SyncMailbox
from tournee.pipeline.importing import ImportRequest

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> {{ 7*7 }} \" ' &amp;"


async def read(client: httpx.AsyncClient, path: str, **options: object) -> str:
    page = await client.get(path, headers=HTML, **options)  # type: ignore[arg-type]
    assert page.status_code == 200, (path, page.status_code)
    return unescape(page.text)


async def test_the_first_page_shows_ledger_and_redis_side_by_side(worked: Pipeline, browser: httpx.AsyncClient) -> None:
    page = await read(browser, "/")
    row = re.search(r'<tr id="queue-processMails">.*?</tr>', page, re.S)
    assert row
    cells = dict(re.findall(r'data-label="([^"]+)">(?:<a[^>]*>)?([^<]+)', row[0]))
    assert (cells["Completed"], cells["Dead"], cells["Wait"], cells["Active"], cells["Drift"]) == (
        "1",
        "1",
        "0",
        "0",
        "0",
    )
    assert 'id="queue-deadLetters"' in page
    for word in (
        "Ledger (PostgreSQL)",
        "Redis (BullMQ)",
        "Spring garden news",
        "alive",
        "mistral",
        "the answer has no summary",
    ):
        assert word in page


async def test_why_an_issue_was_not_delivered_is_two_clicks_away(worked: Pipeline, browser: httpx.AsyncClient) -> None:
    link = re.search(rf'href="(/newsletters/\d+)">{DOOMED}<', await read(browser, "/"))
    assert link
    page = await read(browser, link[1])
    verdict = re.search(r'id="verdict">(.*?)</div>', page, re.S)
    assert verdict
    assert "Not delivered: processMails failed 3 of 3 times and the job is dead." in verdict[1]
    assert "Rejected: the answer has no summary" in verdict[1]
    job = re.search(r'href="(/jobs/\d+)"', verdict[1])
    assert job
    assert (await read(browser, job[1])).count("the answer has no summary") >= 3


async def test_one_page_follows_a_newsletter_through_all_stages(worked: Pipeline, browser: httpx.AsyncClient) -> None:
    message = await find_message(worked, "Spring garden news")
    page = await read(browser, f"/newsletters/{message}")
    assert "Delivered: 1 notification sent." in page
    for queue in ("fetchEmails", "processMails", "indexNews", "sendNotifications"):
        stage = re.search(rf">{queue}</small>.*?</li>", page, re.S)
        assert stage, queue
        assert re.search(r'href="/jobs/\d+"', stage[0]), f"{queue} shows its job"
        assert "waited" in stage[0]
        assert "ran" in stage[0]
    for word in ("On Spring garden news", "reader@example.org", "list-unsubscribe", "Why it was classed so"):
        assert word in page


async def test_the_message_is_shown_in_a_sandbox_that_loads_and_runs_nothing(
    worked: Pipeline, browser: httpx.AsyncClient
) -> None:
    message = await find_message(worked, "Spring garden news")
    await worked.pool.execute(
        "UPDATE news.newsletters SET html = '<p>Hello</p><script>alert(1)</script>' WHERE id = $1", message
    )
    frames = re.findall(r"<iframe[^>]*>", await read(browser, f"/newsletters/{message}"))
    assert len(frames) == 1
    assert 'sandbox=""' in frames[0]
    assert f'src="/newsletters/{message}/html"' in frames[0]
    frame = await browser.get(f"/newsletters/{message}/html")
    policy = [part.strip() for part in frame.headers["content-security-policy"].split(";")]
    assert {"default-src 'none'", "img-src data:", "form-action 'none'", "sandbox", "frame-ancestors 'self'"} <= set(
        policy
    )
    assert not any(part.startswith("script-src") for part in policy)
    assert "<p>Hello</p>" in frame.text


async def test_hostile_mail_is_text_on_every_page(
    pipeline: Pipeline, browser: httpx.AsyncClient, tmp_path: Path
) -> None:
    await import_newsletters(pipeline, tmp_path, "Spring garden news", DOOMED)
    for table, column in (
        ("news.messages", "subject"), ("news.messages", "from_name"), ("news.messages", "name"),
        ("news.analyses", "summary"), ("news.analyses", "title"), ("news.newsletters", "invalid_reason"),
        ("engine.job_attempts", "message"), ("engine.job_attempts", "stack"), ("engine.job_attempts", "error_class"),
        ("news.search_documents", "title"), ("news.search_documents", "summary"), ("news.search_documents", "sender"),
        ("news.deliveries", "target"),
    ):  # fmt: skip
        await pipeline.pool.execute(f"UPDATE {table} SET {column} = $1", HOSTILE)
    await pipeline.pool.execute(
        "UPDATE news.messages SET reasons = $1, parse_notes = $2",
        [{"rule": HOSTILE, "weight": 1, "detail": HOSTILE}],
        [HOSTILE],
    )
    await pipeline.pool.execute(
        "UPDATE news.analyses SET topics = $1, key_links = $2",
        [HOSTILE],
        [{"url": "javascript:alert(1)", "why": HOSTILE}],
    )
    job = await pipeline.count("SELECT job_id FROM engine.dead")
    ids = [row["id"] for row in await pipeline.pool.fetch("SELECT id FROM news.messages")]
    for path in (
        "/",
        "/newsletters",
        "/messages",
        "/jobs",
        "/dead",
        f"/jobs/{job}",
        "/search?q=garden",
        *[f"/messages/{id}" for id in ids],
    ):
        page = await browser.get(path, headers=HTML)
        assert page.status_code == 200, path
        assert "<script>alert" not in page.text, path
        assert "<img src=x" not in page.text, path
        assert "49" not in re.findall(r"onerror=alert\(2\)&gt; (\S+)", page.text), path
        assert 'href="javascript:' not in page.text, path
    async with browser.stream("GET", "/events/overview") as response:
        async for line in response.aiter_lines():
            assert "<script>alert" not in line
            if "part-mailboxes" in line:
                break


async def test_mail_that_is_no_newsletter_says_so(
    pipeline: Pipeline, browser: httpx.AsyncClient, tmp_path: Path
) -> None:
    (tmp_path / "letter.eml").write_bytes(write_letter("See you tomorrow"))
    (tmp_path / "odd.eml").write_bytes(b"Subject: odd\r\nFrom: a@example.org\r\n\r\nx")
    await pipeline.start()
    await pipeline.importer.run(ImportRequest(tmp_path, "import", notifies=True))
    page = await read(browser, "/messages?class=other")
    assert "See you tomorrow" in page
    message = await find_message(pipeline, "See you tomorrow")
    page = await read(browser, f"/messages/{message}")
    assert "this was not recognised as a newsletter" in page
    assert "Not needed" in page
    assert "Nothing here." in await read(browser, "/messages?class=unparsable")


async def test_redrive_runs_a_dead_job_again_and_is_recorded(worked: Pipeline, browser: httpx.AsyncClient) -> None:
    job = await worked.count("SELECT job_id FROM engine.dead")
    worked.analyser.fault = lambda request: None
    answer = await post_form(browser, "/dead/redrive", job_id=str(job), reason="the analyser was mended")
    assert (answer.status_code, answer.headers["location"]) == (303, "/dead")

    async def is_delivered() -> bool:
        return await worked.count("SELECT count(*) FROM news.deliveries WHERE state = 'sent'") == 2

    await worked.wait_until(is_delivered)
    page = await read(browser, f"/jobs/{job}")
    assert "Completed" in page
    assert "the analyser was mended" in page
    assert "console:" in page
    assert 'id="dead-' not in await read(browser, "/dead")


async def test_discard_gives_a_dead_job_up(worked: Pipeline, browser: httpx.AsyncClient) -> None:
    job = await worked.count("SELECT job_id FROM engine.dead")
    await post_form(browser, "/dead/discard", job_id=str(job), reason="spam")
    assert "Cancelled" in await read(browser, f"/jobs/{job}")
    message = await find_message(worked, DOOMED)
    assert "an operator cancelled the processMails job" in await read(browser, f"/newsletters/{message}")


async def test_acting_on_what_is_not_dead_any_more_changes_nothing_and_says_so(
    worked: Pipeline, browser: httpx.AsyncClient, web: RunningWeb
) -> None:
    done = await worked.count("SELECT id FROM engine.jobs WHERE state = 'completed' LIMIT 1")
    page = await browser.get("/", headers=HTML)
    token = re.search(r'"X-CSRF-Token": "([0-9a-f]{64})"', page.text)
    assert token
    answer = await browser.post(
        "/dead/redrive",
        data={"job_id": str(done)},
        headers={"hx-request": "true", "origin": web.url, "x-csrf-token": token[1]},
    )
    assert "Nothing was changed" in answer.text


async def test_a_queue_can_be_paused_and_resumed(pipeline: Pipeline, browser: httpx.AsyncClient) -> None:
    await post_form(browser, "/queues/processMails/pause", reason="maintenance")
    assert await pipeline.count("SELECT count(*) FROM engine.queues WHERE paused AND name = 'processMails'") == 1
    assert "paused" in await read(browser, "/")
    await post_form(browser, "/queues/processMails/resume")
    assert not await pipeline.count("SELECT count(*) FROM engine.queues WHERE paused")
    assert (await post_form(browser, "/queues/nothing/pause")).status_code == 404
    assert (await post_form(browser, "/queues/processMails/explode")).status_code == 404


async def test_a_waiting_job_can_be_cancelled_and_its_newsletter_says_who_holds_it_up(
    pipeline: Pipeline, browser: httpx.AsyncClient, tmp_path: Path
) -> None:
    await pipeline.start(queues=["fetchEmails"])
    (tmp_path / "a.eml").write_bytes(write_newsletter("Held up"))
    order = ImportRequest(tmp_path, "import", notifies=True)
    importing = asyncio.create_task(pipeline.importer.run(order))

    async def is_stored() -> bool:
        return await pipeline.count("SELECT count(*) FROM news.newsletters") == 1

    await pipeline.wait_until(is_stored)
    message = await find_message(pipeline, "Held up")
    job = await find_job(pipeline, "processMails", str(message))
    await post_form(browser, "/queues/processMails/pause")
    assert "the queue processMails is paused" in await read(browser, f"/newsletters/{message}")
    await post_form(browser, f"/jobs/{job}/cancel", reason="not wanted")
    assert "an operator cancelled the processMails job" in await read(browser, f"/newsletters/{message}")
    await importing


async def test_lists_go_on_where_they_ended(pipeline: Pipeline, browser: httpx.AsyncClient) -> None:
    async with pipeline.engine.transaction() as tx:
        await tx.enqueue_many(
            [SyncMailbox(mailbox_id=1, generation=number) for number in range(120)], delay=timedelta(hours=1)
        )
    seen: list[str] = []
    path = "/jobs?state=pending"
    while True:
        page = await read(browser, path)
        seen += re.findall(r'<a href="/jobs/(\d+)">#', page)
        older = re.search(r'class="button" href="([^"]+)">Older', page)
        if not older:
            break
        path = older[1]
    assert len(seen) == 120
    assert len(set(seen)) == 120
    assert "1:7<" in await read(browser, "/jobs?queue=fetchEmails&key=1:7")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/jobs/999999", 404), ("/newsletters/999999", 404), ("/messages/999999", 404),
        ("/newsletters/999999/html", 404),
        ("/jobs/none", 422), ("/jobs?state=odd", 404), ("/messages?class=odd", 404), ("/newsletters?before=0", 422),
        ("/jobs/99999999999999999999", 422), ("/nowhere", 404), ("/search?page=0", 422),
    ],
)  # fmt: skip
async def test_what_is_not_there_is_answered_with_a_page(browser: httpx.AsyncClient, path: str, status: int) -> None:
    page = await browser.get(path, headers=HTML)
    assert page.status_code == status
    assert "<h1>" in page.text
    assert "Traceback" not in page.text


async def test_search_marks_what_it_found(worked: Pipeline, browser: httpx.AsyncClient) -> None:
    page = await read(browser, "/search?q=garden")
    assert "1 newsletter found" in page
    assert "<mark>" in page
    assert "Nothing was found." in await read(browser, "/search?q=zeppelin")


async def test_filters_narrow_the_lists(worked: Pipeline, browser: httpx.AsyncClient) -> None:
    assert DOOMED in await read(browser, "/newsletters?state=invalid")
    assert "Spring garden news" not in await read(browser, "/newsletters?state=invalid")
    assert "Spring garden news" in await read(browser, "/newsletters?q=gArDeN")
    assert "Nothing here." in await read(browser, "/newsletters?q=%25")
    assert DOOMED in await read(browser, "/dead?queue=processMails")
    assert DOOMED not in await read(browser, "/dead?queue=indexNews")


async def test_the_reader_is_spoken_to_in_french_or_english(browser: httpx.AsyncClient) -> None:
    for accepted, expected in (
        ("fr-CH, fr;q=0.9, en;q=0.8", "fr"),
        ("de, en;q=0.7, fr;q=0.3", "en"),
        ("fr;q=0, en", "en"),
        ("es", "en"),
        ("", "en"),
        ("fr;q=x", "en"),
    ):
        page = await browser.get("/", headers={**HTML, "accept-language": accepted})
        assert f'<html lang="{expected}"' in page.text, accepted
    await browser.get("/language/fr")
    page = await browser.get("/dead", headers={**HTML, "accept-language": "en"})
    assert "Aucune tâche morte." in page.text


async def test_times_are_the_readers_own(worked: Pipeline, browser: httpx.AsyncClient) -> None:
    for zone, shown in (("Asia/Tokyo", "Asia/Tokyo"), ("Not/AZone", "UTC"), ("../../etc/passwd", "UTC")):
        browser.cookies.set("tournee_zone", zone)
        assert f"Times in {shown}" in await read(browser, "/")


async def test_the_button_that_kills_redis_exists_in_the_demo_only(browser: httpx.AsyncClient, web: RunningWeb) -> None:
    assert "Kill Redis" not in await read(browser, "/")
    assert (await post_form(browser, "/demo/kill-redis")).status_code in (404, 405)
    assert "kill" not in (await browser.get("/api/openapi.json")).text
