"""The live pages: one look for all, only what changed, and streams that end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.pipeline import Pipeline
from tests.support.waiting import wait_until
from tests.support.web import RunningWeb, import_newsletters, read_events, serve_web
from tournee.engine.client import Engine, QueueOverview
from tournee.web.console.overview import PARTS


class CountingEngine:
    """The real engine; counts how often its status is read."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.reads = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def read_status(self) -> Sequence[QueueOverview]:
        self.reads += 1
        return await self._engine.read_status()

    async def wait_unread(self) -> None:
        """Return when nobody has read it for three intervals: one look may still be under way."""
        async with asyncio.timeout(60):
            self.reads = 1
            while self.reads:
                self.reads = 0
                await asyncio.sleep(0.6)


@asynccontextmanager
async def watch(client: httpx.AsyncClient) -> AsyncIterator[AsyncIterator[str]]:
    """The events of the first page."""
    async with client.stream("GET", "/events/overview") as response:
        yield read_events(response)


async def next_event(events: AsyncIterator[str]) -> str:
    async with asyncio.timeout(60):
        return await anext(events)


async def wait_for_event(events: AsyncIterator[str], text: str) -> str:
    async with asyncio.timeout(60):
        async for event in events:
            if text in event:
                return event
    raise AssertionError(f"no event held {text!r}")


async def wait_for_watchers(web: RunningWeb, count: int) -> None:
    async with asyncio.timeout(60):
        while web.feed.watchers != count:  # noqa: ASYNC110 - the server learns of it by itself
            await asyncio.sleep(0.01)


async def test_a_stream_brings_every_part_first_and_then_only_what_changed(
    web: RunningWeb, browser: httpx.AsyncClient, pipeline: Pipeline, tmp_path: Path
) -> None:
    async with browser.stream("GET", "/events/overview") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        events = read_events(response)
        first = await next_event(events)
        for part in PARTS:
            assert f'hx-target="#part-{part}"' in first
        await import_newsletters(pipeline, tmp_path, "Spring garden news")
        event = await wait_for_event(events, "Spring garden news")
        assert 'hx-target="#part-newsletters"' in event
        assert 'hx-target="#part-recovery"' not in event


async def test_a_live_form_carries_the_readers_own_csrf_token(web: RunningWeb) -> None:
    tokens = set()
    for _ in range(2):
        async with web.enter() as client, client.stream("GET", "/events/overview") as response:
            event = await next_event(read_events(response))
            assert "@@" not in event
            tokens.add(event.partition('name="csrf_token" value="')[2][:64])
    assert len(tokens) == 2
    assert all(len(token) == 64 for token in tokens)


async def test_many_watchers_cost_no_more_than_one_and_none_cost_nothing(pipeline: Pipeline) -> None:
    engine = CountingEngine(pipeline.engine)
    async with serve_web(pipeline, engine=engine, snapshot_interval_seconds=0.2) as web, web.enter() as client:
        async with AsyncExitStack() as stack:
            streams = [await stack.enter_async_context(client.stream("GET", "/events/overview")) for _ in range(12)]
            readers = [read_events(stream) for stream in streams]
            for reader in readers:
                await next_event(reader)
            assert web.feed.watchers == 12
            engine.reads = 0
            started = time.monotonic()
            await asyncio.sleep(1.0)
            looks = (time.monotonic() - started) / 0.2
            assert engine.reads <= looks + 1
            await wait_until(lambda: engine.reads > 0)
        await wait_for_watchers(web, 0)
        await engine.wait_unread()


async def test_a_browser_that_goes_leaves_nothing_behind(web: RunningWeb, browser: httpx.AsyncClient) -> None:
    async with browser.stream("GET", "/events/chrome") as response:
        await next_event(read_events(response))
        assert web.feed.watchers == 1
    await wait_for_watchers(web, 0)


async def test_there_is_an_end_to_how_many_may_watch(pipeline: Pipeline) -> None:
    async with serve_web(pipeline, max_streams=2) as web, web.enter() as client, AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(client.stream("GET", "/events/chrome")) for _ in range(2)]
        readers = [read_events(stream) for stream in streams]
        for reader in readers:
            await next_event(reader)
        refused = await client.get("/events/chrome")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")


async def drain(reader: AsyncIterator[object]) -> None:
    """What was under way may still come; then the stream ends."""
    async with asyncio.timeout(60):
        async for _ in reader:
            continue


async def test_a_server_that_goes_down_does_not_wait_for_browsers(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    async with AsyncExitStack() as stack:
        web = await stack.enter_async_context(serve_web(pipeline))
        client = await stack.enter_async_context(web.enter())
        streams = [await stack.enter_async_context(client.stream("GET", "/events/overview")) for _ in range(3)]
        readers = [read_events(stream) for stream in streams]
        for reader in readers:
            await next_event(reader)
        # Streams that it waited for would be cut when its grace period ends, with a complaint.
        with caplog.at_level("ERROR", "uvicorn.error"):
            await web.server.stop()
        assert [record.getMessage() for record in caplog.records if record.name == "uvicorn.error"] == []
        for reader in readers:
            await drain(reader)


async def test_a_stream_survives_a_fault_of_ours(pipeline: Pipeline) -> None:
    engine = CountingEngine(pipeline.engine)
    async with serve_web(pipeline, engine=engine) as web, web.enter() as client, watch(client) as events:
        await next_event(events)
        original, engine.read_status = engine.read_status, None  # type: ignore[assignment, method-assign]
        await asyncio.sleep(0.3)
        engine.read_status = original  # type: ignore[method-assign]
        await pipeline.pool.execute("UPDATE engine.queues SET paused = true WHERE name = 'indexNews'")
        await wait_for_event(events, "Resume")


async def test_killing_redis_in_the_demo_is_timed_until_every_queue_is_back(pipeline: Pipeline, redis_url: str) -> None:
    import redis.asyncio

    async def kill() -> None:
        async with redis.asyncio.Redis.from_url(redis_url) as connection:
            await connection.flushall()

    await pipeline.start()
    async with serve_web(pipeline, kill_redis=kill) as web, web.enter() as client, watch(client) as events:
        first = await next_event(events)
        assert "Kill Redis" in first
        token = first.partition('name="csrf_token" value="')[2][:64]
        answer = await client.post(
            "/demo/kill-redis", headers={"origin": web.url, "x-csrf-token": token, "hx-request": "true"}
        )
        assert "Redis was flushed and restarted." in answer.text
        recovered = await wait_for_event(events, "Recovered in")
        assert "→ <strong>" in recovered
