"""The console in a real browser: live, usable, accessible, and silent towards the outside."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Route, expect

from tests.browser.conftest import OpenPage
from tests.support.pipeline import Pipeline
from tests.support.web import RunningWeb, find_job, find_message, import_newsletters, serve_web
from tests.support.web_fixtures import DOOMED
from tournee.pipeline.core.payloads import SyncMailbox

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

AUDIT = (Path(__file__).parent / "audit.js").read_text(encoding="utf-8")


async def test_a_newsletter_appears_without_a_reload_and_focus_stays_where_it_was(
    web: RunningWeb, pipeline: Pipeline, open_page: OpenPage, tmp_path: Path
) -> None:
    async with open_page(web) as visit:
        await visit.wait_live()
        await visit.page.evaluate("window.stayed = true")
        await visit.page.locator("#queue-indexNews button").focus()
        await import_newsletters(pipeline, tmp_path, "Spring garden news")
        await expect(visit.page.locator(".letter", has_text="Spring garden news")).to_contain_text("Searchable")
        await expect(visit.page.locator("#queue-processMails td[data-label=Completed]")).to_have_text("1")
        assert (
            await visit.page.evaluate("window.stayed && document.activeElement.closest('tr').id") == "queue-indexNews"
        )


async def test_two_clicks_tell_why_an_issue_was_not_delivered(
    worked: Pipeline, web: RunningWeb, open_page: OpenPage
) -> None:
    async with open_page(web) as visit:
        await visit.page.locator(".letter", has_text=DOOMED).get_by_role("link", name=DOOMED).click()
        await expect(visit.page.locator("#verdict")).to_contain_text("failed 3 of 3 times")
        await visit.page.locator("#verdict a").click()
        await expect(visit.page.locator(".attempt")).to_have_count(3)
        await visit.page.locator("summary").first.click()
        await expect(visit.page.locator(".stack pre").first).to_contain_text("Rejected")


async def test_a_dead_letter_is_redriven_with_one_click(worked: Pipeline, web: RunningWeb, open_page: OpenPage) -> None:
    worked.analyser.fault = lambda request: None
    async with open_page(web) as visit:
        await visit.wait_live()
        await expect(visit.page.locator(".badge")).to_have_text("1")
        await visit.page.locator("#part-dead").get_by_role("button", name="Redrive").click()
        await expect(visit.page.locator(".notice")).to_have_text("1 job runs again.")
        await expect(visit.page.locator("#part-dead")).to_contain_text("No dead letters.")
        await expect(visit.page.locator(".badge")).to_have_count(0)
        await expect(visit.page.locator(".letter", has_text=DOOMED)).to_contain_text("Searchable")


async def test_an_act_is_answered_also_when_the_page_was_renewed_before_the_answer_came(
    worked: Pipeline, web: RunningWeb, open_page: OpenPage
) -> None:
    worked.analyser.fault = lambda request: None
    async with open_page(web) as visit:
        await visit.wait_live()
        none_left = visit.page.locator("#part-dead", has_text="No dead letters.")

        async def hold_answer(route: Route) -> None:
            answer = await route.fetch()
            await none_left.wait_for()
            await route.fulfill(response=answer)

        await visit.page.route("**/dead/redrive", hold_answer)
        await visit.page.locator("#part-dead").get_by_role("button", name="Redrive").click()
        await expect(visit.page.locator(".notice")).to_have_text("1 job runs again.")


async def test_discarding_asks_first_and_keeps_the_reason(
    worked: Pipeline, web: RunningWeb, open_page: OpenPage
) -> None:
    async with open_page(web) as visit:
        await visit.go("/dead")
        await visit.page.get_by_role("button", name="Discard").click()
        await visit.page.get_by_role("dialog").get_by_role("button", name="No").click()
        await expect(visit.page.locator(".deaths > li.card")).to_have_count(1)
        await visit.page.get_by_role("button", name="Discard").click()
        await visit.page.get_by_label("Reason, for the record").fill("spam, after all")
        await visit.page.keyboard.press("Enter")
        await expect(visit.page.locator(".notice")).to_have_text("1 job was given up.")
        await expect(visit.page.locator("li[id^=dead-]")).to_have_count(0)
    reasons = [row["reason"] for row in await worked.pool.fetch("SELECT reason FROM engine.audit_log")]
    assert reasons == ["spam, after all"]


async def test_a_killed_redis_recovers_before_the_operators_eyes(
    worked: Pipeline, redis_url: str, open_page: OpenPage
) -> None:
    import redis.asyncio

    async def kill() -> None:
        async with redis.asyncio.Redis.from_url(redis_url) as connection:
            await connection.flushall()

    async with serve_web(worked, kill_redis=kill) as web, open_page(web) as visit:
        await visit.wait_live()
        await visit.page.get_by_role("button", name="Kill Redis").click()
        await visit.page.get_by_role("dialog").get_by_role("button", name="Yes").click()
        await expect(visit.page.locator("#stopwatch")).to_contain_text("Recovered in")
        await expect(visit.page.locator("#stopwatch")).to_contain_text("→")


async def test_everything_works_without_scripts(worked: Pipeline, web: RunningWeb, open_page: OpenPage) -> None:
    async with open_page(web, java_script_enabled=False) as visit:
        await visit.page.locator("#queue-indexNews button").click()
        await expect(visit.page.locator("#queue-indexNews")).to_contain_text("paused")
        await visit.page.locator("#queue-indexNews button").click()
        await expect(visit.page.locator("#queue-indexNews")).not_to_contain_text("paused")
        await visit.page.get_by_label("Search the newsletters").fill("garden")
        await visit.page.keyboard.press("Enter")
        await expect(visit.page.locator(".hits mark").first).to_be_visible()


async def test_a_hostile_newsletter_neither_runs_nor_loads_nor_navigates(
    worked: Pipeline, web: RunningWeb, open_page: OpenPage
) -> None:
    message = await find_message(worked, "Spring garden news")
    hostile = (
        "<p>Hello</p><script>top.location = '/stolen'</script><img src='/static/mark.svg?tracked' onerror='alert(1)'>"
        "<link rel=stylesheet href='/static/console.css?tracked'><meta http-equiv=refresh content='0;url=/stolen'>"
        "<form action=/stolen><button>x</button></form><iframe src='/stolen'></iframe>"
        "<style>@import '/static/console.css?tracked'; p { background: url(/static/mark.svg?tracked) }</style>"
    )
    await worked.pool.execute("UPDATE news.newsletters SET html = $1 WHERE id = $2", hostile, message)
    async with open_page(web) as visit:
        await visit.go(f"/newsletters/{message}")
        frame = visit.page.frame_locator(".letterframe")
        await expect(frame.locator("p")).to_have_text("Hello")
        await visit.wait_live()
        assert visit.page.url.endswith(f"/newsletters/{message}")
        # The browser tells of everything that it refused to load; that is what this test is for.
        refused, visit.faults[:] = list(visit.faults), []
        assert any("Content Security Policy" in fault for fault in refused)
    assert f"/newsletters/{message}/html?" in web.asked
    assert [url for url in web.asked if "tracked" in url or "stolen" in url] == []


async def test_the_page_says_when_it_is_not_live_and_comes_back(pipeline: Pipeline, open_page: OpenPage) -> None:
    async with serve_web(pipeline) as web, open_page(web, tolerates="ERR_") as visit:
        await visit.wait_live()
        port, token = web.server.port, web.token
        await web.server.stop()
        await expect(visit.page.locator("#pulse")).to_have_text("Reconnecting…")
        async with serve_web(pipeline, port=port, access_token=token):
            await expect(visit.page.locator("#pulse")).to_have_text("Live")


async def test_the_language_can_be_switched_and_stays(web: RunningWeb, open_page: OpenPage) -> None:
    async with open_page(web, locale="fr-FR") as visit:
        await expect(visit.page.get_by_role("link", name="Tâches mortes")).to_be_visible()
        await visit.page.get_by_role("link", name="English").click()
        await expect(visit.page.get_by_role("link", name="Dead letters").first).to_be_visible()
        await visit.go("/jobs")
        await expect(visit.page.locator("h1")).to_have_text("Jobs")


async def test_times_are_shown_in_the_readers_zone(worked: Pipeline, web: RunningWeb, open_page: OpenPage) -> None:
    async with open_page(web, timezone_id="Asia/Tokyo") as visit:
        await expect(visit.page.locator("footer")).to_contain_text("Times in Asia/Tokyo")


async def arrange_everything(pipeline: Pipeline) -> int:
    """A queue is paused, others have limits, schedules fire, rest and fail; returns a job that waits."""
    await pipeline.pool.execute(
        "UPDATE engine.queues SET paused = name = 'fetchEmails', concurrency_limit = 20, tenant_concurrency_limit = 4,"
        " rate_limit = 1000, rate_period = '1 minute', tenant_rate_limit = 100, tenant_rate_period = '90 seconds'"
    )
    await pipeline.pool.execute(
        "INSERT INTO engine.schedules (name, cron, time_zone, queue, kind, missed, next_at, paused, last_error)"
        " VALUES ('nightly', '30 3 * * *', 'Europe/Berlin', 'fetchEmails', 'sync-mailbox', 'latest',"
        " now() + interval '1 day', false, 'the payload is not valid'), ('a_schedule_with_quite_a_long_name',"
        " '0 8 * * mon-fri', 'America/Argentina/Buenos_Aires', 'fetchEmails', 'sync-mailbox', 'latest',"
        " now() + interval '1 day', true, NULL)"
    )
    async with pipeline.engine.transaction() as tx:
        await tx.enqueue(SyncMailbox(mailbox_id=1, generation=1_000), delay=timedelta(days=2))
    return await find_job(pipeline, "fetchEmails", "1:1000")


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_can_be_read_by_everybody(
    worked: Pipeline, web: RunningWeb, open_page: OpenPage, scheme: str, width: int
) -> None:
    waiting = await arrange_everything(worked)
    ids = [row["id"] for row in await worked.pool.fetch("SELECT id FROM news.messages ORDER BY id")]
    dead = await worked.count("SELECT job_id FROM engine.dead")
    paths = ["/", "/newsletters", "/messages", "/jobs", "/dead", "/search?q=garden", "/nowhere"]
    paths += [f"/jobs/{dead}", f"/jobs/{waiting}", *(f"/newsletters/{id}" for id in ids)]
    size = {"width": width, "height": 800}
    faults: dict[str, list[str]] = {}
    async with open_page(web, color_scheme=scheme, viewport=size, locale="fr-FR", tolerates="404") as visit:
        await expect(visit.page.locator("#part-schedules li")).to_have_count(2)
        for path in paths:
            await visit.go(path)
            if found := await visit.page.evaluate(AUDIT):
                faults[path] = found
    assert faults == {}
