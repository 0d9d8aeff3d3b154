"""PostgreSQL or Redis away: the console says so, never answers 500, and recovers by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import httpx

from tests.integration.web.test_live import wait_for_event
from tests.support.pipeline import Pipeline
from tests.support.servers import SessionServers
from tests.support.web import HTML, find_message, read_csrf_token, read_events, serve_web

PAGES = ("/newsletters", "/messages", "/jobs", "/dead", "/search?q=x", "/jobs/1", "/newsletters/1")


async def test_the_console_outlives_postgresql(
    worked: Pipeline, browser: httpx.AsyncClient, servers: SessionServers
) -> None:
    await worked.stop()
    worked.worker = None
    async with browser.stream("GET", "/events/overview") as response:
        events = read_events(response)
        await wait_for_event(events, "Spring garden news")
        await servers.postgresql.kill()
        banner = await wait_for_event(events, "PostgreSQL has not answered since")
        assert "part-banner" in banner
        page = await browser.get("/", headers=HTML)
        assert page.status_code == 200
        assert "Spring garden news" in page.text, "the last figures stay"
        for path in PAGES:
            page = await browser.get(path, headers=HTML)
            assert page.status_code == 503, path
            assert "One moment" in page.text
            assert '<meta http-equiv="refresh" content="3">' in page.text
        await servers.postgresql.start()
        assert await wait_for_event(events, '#part-banner" hx-swap="innerMorph"></hx-partial>')
    page = await browser.get("/newsletters", headers=HTML)
    assert page.status_code == 200


async def test_the_console_outlives_redis(
    worked: Pipeline, browser: httpx.AsyncClient, servers: SessionServers
) -> None:
    await worked.stop()
    worked.worker = None
    async with browser.stream("GET", "/events/overview") as response:
        events = read_events(response)
        await wait_for_event(events, "Spring garden news")
        await servers.valkey.kill()
        await wait_for_event(events, "Redis has not answered since")
        for path in ("/", "/newsletters", "/dead", "/jobs"):
            page = await browser.get(path, headers=HTML)
            assert page.status_code == 200, path
            assert "Redis has not answered since" in page.text
        await servers.valkey.start()
        assert await wait_for_event(events, '#part-banner" hx-swap="innerMorph"></hx-partial>')


async def test_a_redis_that_hangs_is_not_taken_for_a_dead_postgresql(worked: Pipeline, servers: SessionServers) -> None:
    await worked.stop()
    worked.worker = None
    assert servers.valkey.pid is not None
    async with serve_web(worked, read_timeout_seconds=0.5) as web, web.enter() as client:
        os.kill(servers.valkey.pid, signal.SIGSTOP)
        try:
            for path in ("/", f"/newsletters/{await find_message(worked, 'Spring garden news')}", "/dead"):
                page = await client.get(path, headers=HTML)
                assert page.status_code == 200, path
                assert "Redis has not answered since" in page.text
                assert "PostgreSQL has not answered" not in page.text
        finally:
            os.kill(servers.valkey.pid, signal.SIGCONT)


async def test_health_tells_life_from_readiness(
    pipeline: Pipeline, program: httpx.AsyncClient, servers: SessionServers
) -> None:
    ready = await program.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "database": "up", "redis": "up"})
    await servers.valkey.kill()
    ready = await program.get("/readyz")
    assert (ready.status_code, ready.json()) == (503, {"status": "unavailable", "database": "up", "redis": "down"})
    await servers.valkey.start()
    await servers.postgresql.kill()
    ready = await program.get("/readyz")
    assert (ready.status_code, ready.json()["database"]) == (503, "down")
    assert (await program.get("/healthz")).json() == {"status": "alive"}
    answer = await program.get("/api/jobs")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert "does not answer" in answer.json()["error"]
    await servers.postgresql.start()
    await wait_until_ready(program)


def stop_with_children(pid: int) -> list[int]:
    """Stop a server and the processes that serve its connections; who was stopped, to be woken."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    stopped = [pid, *map(int, children)]
    for one in stopped:
        os.kill(one, signal.SIGSTOP)
    return stopped


async def wait_until_ready(program: httpx.AsyncClient) -> None:
    deadline = time.monotonic() + 60
    while (await program.get("/readyz")).status_code != 200:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_a_postgresql_that_hangs_is_answered_with_503_and_all_goes_on_when_it_wakes(
    worked: Pipeline, servers: SessionServers
) -> None:
    await worked.stop()
    worked.worker = None
    assert servers.postgresql.pid is not None
    async with serve_web(worked, read_timeout_seconds=0.5) as web, web.enter() as client:
        assert (await client.get("/newsletters", headers=HTML)).status_code == 200
        stopped = stop_with_children(servers.postgresql.pid)
        try:
            for path in ("/newsletters", "/dead"):
                page = await client.get(path, headers=HTML)
                assert page.status_code == 503, path
                assert "One moment" in page.text
            ready = await client.get("/readyz")
            assert (ready.status_code, ready.json()["database"]) == (503, "down")
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        await wait_until_ready(client)
        assert (await client.get("/newsletters", headers=HTML)).status_code == 200


async def test_an_act_on_a_postgresql_that_hangs_is_answered_in_time_and_says_that_it_may_have_been_done(
    worked: Pipeline, servers: SessionServers
) -> None:
    await worked.stop()
    worked.worker = None
    dead = str(await worked.count("SELECT job_id FROM engine.dead"))
    assert servers.postgresql.pid is not None
    async with (
        serve_web(worked, read_timeout_seconds=0.5, act_timeout_seconds=0.5) as web,
        web.enter() as client,
        web.call() as program,
    ):
        fields = {"csrf_token": await read_csrf_token(client), "job_id": dead}
        own = {**HTML, "origin": web.url}
        stopped = stop_with_children(servers.postgresql.pid)
        try:
            for path in ("/dead/redrive", "/dead/discard", f"/jobs/{dead}/cancel", "/queues/indexNews/pause"):
                page = await client.post(path, data=fields, headers=own)
                assert page.status_code == 503, path
                assert "It is not certain whether it was done" in page.text
                assert "http-equiv" not in page.text, "an act is not repeated by itself"
                notice = await client.post(path, data=fields, headers={**own, "hx-request": "true"})
                assert (notice.status_code, notice.headers["retry-after"]) == (503, "3"), path
                assert 'hx-target="#notices"' in notice.text
                assert "It is not certain whether it was done" in notice.text
            for path in ("/api/dead/redrive", "/api/dead/discard", "/api/jobs/cancel"):
                answer = await program.post(path, json={"job_ids": [int(dead)]})
                assert answer.status_code == 503, path
                assert "not certain whether it was done" in answer.json()["error"]
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        await wait_until_ready(client)
        # What had not begun was given up, and does not happen later: the letter is still there to be acted on.
        answer = await client.post("/dead/discard", data=fields, headers={**own, "hx-request": "true"})
        assert answer.status_code == 200
    assert await worked.count("SELECT count(*) FROM engine.dead") == 0
