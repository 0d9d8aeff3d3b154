"""A real Chromium: the one that TOURNEE_CHROMIUM names, the system's, else Playwright's own.

One Chromium serves all tests of a process, each in a profile of its own: to start it takes longer than most tests. So
all that these tests await lives on the session's event loop.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Error, Page, async_playwright, expect
from playwright.async_api import TimeoutError as PlaywrightTimeout

from tests.support.pipeline import Pipeline
from tests.support.web import RunningWeb, import_newsletters, serve_web
from tests.support.web_fixtures import DOOMED, open_pipeline

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session")
async def pipeline(database_url: str, redis_url: str) -> AsyncIterator[Pipeline]:
    """See `open_pipeline`."""
    async with open_pipeline(database_url, redis_url) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def web(pipeline: Pipeline) -> AsyncIterator[RunningWeb]:
    """The console, served."""
    async with serve_web(pipeline) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def worked(pipeline: Pipeline, tmp_path: Path) -> Pipeline:
    """Two newsletters went through the pipeline: one was delivered, one is a dead letter."""
    await import_newsletters(pipeline, tmp_path, "Spring garden news", DOOMED)
    return pipeline


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """A browser; skips where there is none."""
    named = os.environ.get("TOURNEE_CHROMIUM")
    path = named or next((found for name in NAMES if (found := shutil.which(name))), None)
    async with async_playwright() as playwright:
        try:
            browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS, timeout=120_000)
        except Error as error:
            if path is not None:
                raise
            pytest.skip(f"there is no Chromium here: {error.message.splitlines()[0]}")
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Visit:
    """A page that came in through the link, and all that went wrong or left the machine while it was open."""

    page: Page
    web: RunningWeb
    faults: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    async def go(self, path: str) -> None:
        await self.page.goto(self.web.url + path)

    async def wait_live(self) -> None:
        """The stream is open; a failure tells what the page and the server know of it."""
        try:
            await self.page.locator("#pulse:not([hidden]):not(.off)").wait_for(state="visible")
        except PlaywrightTimeout as timeout:
            page = await self.page.evaluate(DESCRIBE_STREAM)
            raise AssertionError(f"the page is not live: {page}, faults {self.faults}") from timeout


DESCRIBE_STREAM = """() => ({
    url: location.href, ready: document.readyState, pulse: document.getElementById('pulse')?.outerHTML,
    loaded: performance.getEntriesByType('resource').map(e => `${e.name} ${e.responseStatus}`),
})"""

OpenPage = Callable[..., AbstractAsyncContextManager[Visit]]


@pytest.fixture
def open_page(chromium: Browser) -> OpenPage:
    """Open the console in a fresh profile; what the page complained about fails the test at the end, save what the
    regular expression `tolerates` finds."""

    @asynccontextmanager
    async def open_one(web: RunningWeb, *, tolerates: str = "", **options: Any) -> AsyncIterator[Visit]:
        context = await chromium.new_context(
            **{"timezone_id": "UTC", "viewport": {"width": 1280, "height": 900}, **options}
        )
        context.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)
        page = await context.new_page()
        visit = Visit(page, web)
        page.on("pageerror", lambda error: visit.faults.append(str(error)))
        page.on("console", lambda said: visit.faults.append(said.text) if said.type == "error" else None)
        page.on(
            "request",
            lambda request: (
                visit.foreign.append(request.url)
                if urlsplit(request.url).netloc != urlsplit(web.url).netloc and not request.url.startswith("data:")
                else None
            ),
        )
        await page.goto(web.link)
        try:
            yield visit
        finally:
            await context.close()
        assert visit.foreign == [], "the page asked another host"
        assert [fault for fault in visit.faults if not tolerates or not re.search(tolerates, fault)] == []

    return open_one
