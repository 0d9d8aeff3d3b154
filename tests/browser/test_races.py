"""Acts and updates that cross: a live page may change at any moment, and no act is lost, doubled or misdirected by it.

Nothing here waits for a clock: answers are held until what they shall race with has happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, Request, Route, expect

from tests.browser.conftest import OpenPage
from tests.support.pipeline import Pipeline
from tests.support.web import RunningWeb, find_message, import_newsletters, serve_web
from tests.support.web_fixtures import DOOMED

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

REDRIVE = "**/dead/redrive"
UNKNOWN = "No answer came. It is not certain whether it was done: look before you repeat it."


def record_posts(page: Page) -> list[Request]:
    """What forms send from now on, in order."""
    sent: list[Request] = []

    def note(request: Request) -> None:
        if request.method == "POST":
            sent.append(request)

    page.on("request", note)
    return sent


def read_bodies(sent: list[Request]) -> list[str]:
    """The forms' fields."""
    return [request.post_data or "" for request in sent]


@asynccontextmanager
async def hold(page: Page, pattern: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Let the server answer at once, and the page hear of it only at the end of the block; yields a wait until the
    server has answered."""
    answered, free = asyncio.Event(), asyncio.Event()

    async def held(route: Route) -> None:
        answer = await route.fetch()
        answered.set()
        await free.wait()
        await route.fulfill(response=answer)

    async def wait() -> None:
        await asyncio.wait_for(answered.wait(), 20)

    await page.route(pattern, held)
    try:
        yield wait
    finally:
        free.set()


async def dead_job(pipeline: Pipeline) -> int:
    return await pipeline.count("SELECT job_id FROM engine.dead")


async def discard_elsewhere(pipeline: Pipeline) -> None:
    """Somebody else gives the dead letter up."""
    from tournee.engine.client import Operator

    await pipeline.engine.discard([await dead_job(pipeline)], Operator("somebody else", ""))


async def test_a_confirmed_act_goes_out_with_its_reason_also_when_its_form_is_gone_by_then(
    worked: Pipeline, web: RunningWeb, open_page: OpenPage
) -> None:
    async with open_page(web) as visit:
        await visit.wait_live()
        sent = record_posts(visit.page)
        job = await dead_job(worked)
        await visit.page.locator("#part-dead").get_by_role("button", name="Discard").click()
        await visit.page.get_by_label("Reason, for the record").fill("not wanted")
        await discard_elsewhere(worked)
        await expect(visit.page.locator("#part-dead")).to_contain_text("No dead letters.")
        await expect(visit.page.get_by_label("Reason, for the record")).to_have_value("not wanted")
        await visit.page.get_by_role("dialog").get_by_role("button", name="Yes").click()
        await expect(visit.page.locator(".notice")).to_contain_text("Nothing was changed")
        assert len(read_bodies(sent)) == 1
        assert f"job_id={job}" in read_bodies(sent)[0]
        assert "reason=not+wanted" in read_bodies(sent)[0]


async def test_an_act_under_way_is_not_sent_twice(worked: Pipeline, web: RunningWeb, open_page: OpenPage) -> None:
    async with open_page(web) as visit:
        await visit.go("/dead")
        sent = record_posts(visit.page)
        button = visit.page.get_by_role("button", name="Redrive #")
        worked.analyser.fault = lambda request: None
        async with hold(visit.page, REDRIVE) as wait_until_done:
            await button.click()
            await wait_until_done()
            await button.click()
            await button.press("Enter")
            # A slow act is seen to be under way.
            await expect(visit.page.locator(".notice")).to_have_text("Under way…")
        await expect(visit.page.locator(".notice")).to_have_text("1 job runs again.")
        await expect(visit.page.locator("#acts form")).to_have_count(0)
        assert len(read_bodies(sent)) == 1


async def test_the_second_click_of_a_double_click_does_not_undo_the_first(
    pipeline: Pipeline, web: RunningWeb, open_page: OpenPage
) -> None:
    async with open_page(web) as visit:
        await visit.wait_live()
        button = visit.page.locator("#queue-indexNews button")
        await button.click(click_count=1)
        await expect(button).to_contain_text("Resume")
        # The page was renewed between the two clicks.
        place = await button.bounding_box()
        assert place
        sent = record_posts(visit.page)
        await visit.page.mouse.move(place["x"] + 5, place["y"] + 5)
        await visit.page.mouse.down(click_count=2)
        await visit.page.mouse.up(click_count=2)
        await visit.page.locator("#queue-processMails button").click()
        await expect(visit.page.locator("#queue-processMails button")).to_contain_text("Resume")
        assert [request.url.partition("/queues/")[2] for request in sent] == ["processMails/pause"]
        await expect(button).to_contain_text("Resume")


async def test_without_an_answer_the_page_says_that_nobody_knows(
    worked: Pipeline, web: RunningWeb, open_page: OpenPage
) -> None:
    async with open_page(web, tolerates="htmx:") as visit:
        await visit.page.clock.install()
        await visit.go("/dead")
        worked.analyser.fault = lambda request: None
        async with hold(visit.page, REDRIVE) as wait_until_done:
            await visit.page.get_by_role("button", name="Redrive #").click()
            await wait_until_done()
            await visit.page.clock.fast_forward(16_000)
            await expect(visit.page.locator(".notice.bad")).to_contain_text(UNKNOWN)
        # What went wrong stays until it was read.
        await visit.page.clock.fast_forward(60_000)
        await expect(visit.page.locator(".notice.bad")).to_contain_text(UNKNOWN)
        await visit.page.get_by_role("button", name="Close this notice").click()
        await expect(visit.page.locator(".notice")).to_have_count(0)


async def test_a_connection_that_breaks_during_an_act_and_a_session_that_is_over_are_said(
    worked: Pipeline, web: RunningWeb, open_page: OpenPage
) -> None:
    async with open_page(web, tolerates="Failed to load|htmx:") as visit:
        await visit.wait_live()
        redrive = visit.page.locator("#part-dead").get_by_role("button", name="Redrive")
        await visit.page.route(REDRIVE, lambda route: route.abort("connectionreset"))
        await redrive.click()
        await expect(visit.page.locator(".notice.bad")).to_contain_text(UNKNOWN)
        await visit.page.get_by_role("button", name="Close this notice").click()
        await visit.page.unroute(REDRIVE)
        await visit.page.context.clear_cookies()
        await redrive.click()
        await expect(visit.page.locator(".notice.bad")).to_contain_text("Nothing was done. Your session is over.")
        assert await worked.count("SELECT count(*) FROM engine.dead") == 1


async def test_a_stack_that_came_back_with_another_token_is_told_once_and_a_new_session_renews_the_page(
    worked: Pipeline, open_page: OpenPage
) -> None:
    async with serve_web(worked) as web, open_page(web, tolerates="Failed to load|htmx:") as visit:
        await visit.wait_live()
        port = web.server.port
        await web.server.stop()
        async with serve_web(worked, port=port) as renewed:
            notice = visit.page.locator(".notice", has_text="Your session is over.")
            await expect(notice).to_have_count(1)
            await expect(visit.page.locator("#pulse")).to_have_text("Reconnecting…")
            other = await visit.page.context.new_page()
            await other.goto(renewed.link)
            # Back in the first tab: it finds itself let in, and is the new session's page, forms and all.
            await visit.page.bring_to_front()
            await expect(notice).to_have_count(0)
            await visit.wait_live()
            worked.analyser.fault = lambda request: None
            await visit.page.locator("#part-dead").get_by_role("button", name="Redrive").click()
            await expect(visit.page.locator(".notice")).to_have_text("1 job runs again.")


async def test_two_tabs_that_do_the_same_do_it_once_and_the_second_says_so(
    worked: Pipeline, web: RunningWeb, open_page: OpenPage
) -> None:
    async with open_page(web) as visit:
        await visit.go("/dead")
        other = await visit.page.context.new_page()
        # It comes in through the start link again, which leaves the first tab's forms valid.
        await other.goto(web.link)
        await other.goto(f"{web.url}/dead")
        await other.get_by_role("button", name="Discard").click()
        await other.get_by_role("dialog").get_by_role("button", name="Yes").click()
        await expect(other.locator(".notice")).to_have_text("1 job was given up.")
        await expect(other.locator(".none-left")).to_be_visible()
        await expect(other.locator("#bulk")).to_be_hidden()
        await visit.page.bring_to_front()
        await visit.page.get_by_role("button", name="Redrive #").click()
        await expect(visit.page.locator(".notice")).to_contain_text("Nothing was changed")
    assert await worked.count("SELECT count(*) FROM engine.audit_log") == 1


async def test_a_stream_whose_first_request_fails_is_tried_again(
    worked: Pipeline, web: RunningWeb, open_page: OpenPage
) -> None:
    async with open_page(web, tolerates="Failed to load|htmx:") as visit:
        await visit.page.route(
            "**/events/chrome", lambda route: route.fulfill(status=503, body="{}", content_type="application/json")
        )
        await visit.go("/dead")
        await expect(visit.page.locator("#pulse")).to_have_text("Reconnecting…")
        await visit.page.unroute("**/events/chrome")
        await visit.wait_live()
        await expect(visit.page.locator(".notice")).to_have_count(0)


async def test_the_focus_stays_at_its_place_when_what_had_it_is_gone(
    worked: Pipeline, web: RunningWeb, open_page: OpenPage
) -> None:
    async with open_page(web) as visit:
        await visit.wait_live()
        await visit.page.locator("#part-dead").get_by_role("button", name="Redrive").focus()
        await discard_elsewhere(worked)
        await expect(visit.page.locator("#part-dead")).to_contain_text("No dead letters.")
        await expect(visit.page.locator("section[aria-labelledby=dead-title]")).to_be_focused()


async def test_a_selection_in_what_did_not_change_outlives_an_update(
    worked: Pipeline, web: RunningWeb, open_page: OpenPage, tmp_path: Path
) -> None:
    async with open_page(web) as visit:
        await visit.wait_live()
        message = await find_message(worked, DOOMED)
        await visit.page.evaluate(
            f"getSelection().selectAllChildren(document.querySelector('#letter-{message} .error'))"
        )
        folder = tmp_path / "second"
        folder.mkdir()
        await import_newsletters(worked, folder, "Autumn garden news")
        await expect(visit.page.locator(".letter", has_text="Autumn garden news")).to_contain_text("Searchable")
        assert await visit.page.evaluate("getSelection().toString()") == "Rejected: the answer has no summary"


async def test_the_way_back_shows_the_list_as_it_was_asked_for(
    worked: Pipeline, web: RunningWeb, open_page: OpenPage
) -> None:
    async with open_page(web) as visit:
        await visit.go("/jobs")
        state = visit.page.get_by_label("State")
        await state.select_option("dead")
        await visit.page.wait_for_url("**state=dead**")
        await visit.page.locator("tbody a").first.click()
        await expect(visit.page.locator("h1")).to_contain_text("Job #")
        await visit.page.go_back()
        await expect(state).to_have_value("dead")
        await expect(visit.page.locator("tbody tr")).to_have_count(1)
        await visit.page.go_back()
        await expect(state).to_have_value("")
        await visit.wait_live()
