"""The middleware on real applications: ours to be, the operator's own, and one that is no framework's."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI, HTTPException, WebSocketDisconnect
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.requests import ClientDisconnect

from tests.support.alerts import AlertBench, make_bench
from tournee.alerts import AlertMiddleware


def make_app(bench: AlertBench) -> FastAPI:
    app = FastAPI()
    app.add_middleware(AlertMiddleware, monitor=bench.alerts.monitor)

    @app.get("/items/{item}")
    async def read_item(item: str) -> str:
        return {"a": "b"}[item]

    @app.get("/sync")
    def fail_in_a_thread() -> None:
        raise RuntimeError("no details of this leave: password=hunter2")

    @app.get("/unavailable")
    async def be_unavailable() -> None:
        raise HTTPException(503, "later")

    @app.get("/limited")
    async def be_limited() -> None:
        raise HTTPException(429, "slower")

    @app.get("/stream")
    async def break_off() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"one"
            raise ValueError("broken off")

        return StreamingResponse(parts())

    return app


@asynccontextmanager
async def talk_to(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_a_route_that_raises_alerts_at_once_in_production_with_class_and_place() -> None:
    bench = make_bench(production=True)
    async with talk_to(make_app(bench)) as client:
        assert (await client.get("/items/a")).json() == "b"
        assert (await client.get("/items/4711")).status_code == 500
    await bench.step()
    [message] = bench.discord.told
    assert message.title == "Error 500: GET /items/{item}"
    fields = dict(message.fields)
    assert fields["Error"] == "KeyError"
    assert fields["Place"].startswith("test_middleware.py:")
    assert "read_item" in fields["Place"]
    assert "4711" not in str(message)


async def test_the_exceptions_message_never_leaves() -> None:
    bench = make_bench(production=True)
    async with talk_to(make_app(bench)) as client:
        assert (await client.get("/sync")).status_code == 500
    await bench.step()
    assert bench.discord.said == ["error-500 opened"]
    assert "hunter2" not in str(bench.discord.told)
    assert "details" not in str(bench.discord.told)


async def test_each_failed_request_is_recorded_once() -> None:
    bench = make_bench(watches_rate_limits=True)
    async with talk_to(make_app(bench)) as client:
        for path in ("/items/x", "/unavailable", "/limited", "/nowhere", "/items/a"):
            await client.get(path)
        with pytest.raises(ValueError, match="broken off"):
            await httpx.AsyncClient(transport=httpx.ASGITransport(client._transport.app), base_url="http://t").get(  # type: ignore[attr-defined]
                "/stream"
            )
    await bench.step()
    assert bench.alerts.snapshot().monitor.recorded == {"request": 3, "rate_limited_in": 1}


async def test_ten_failed_requests_to_a_real_application_alert() -> None:
    bench = make_bench()
    async with talk_to(make_app(bench)) as client:
        await asyncio.gather(*(client.get(f"/items/{number}") for number in range(9)))
        await bench.step()
        assert bench.discord.said == []
        await client.get("/unavailable")
    await bench.step()
    assert bench.discord.said == ["api-errors opened"]
    most = dict(bench.discord.told[0].fields)["Most frequent"]
    assert most == "9 × GET /items/{item} KeyError\n1 × GET /unavailable 503"


async def test_an_application_of_no_framework_is_watched_too() -> None:
    async def app(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        await JSONResponse({}, status_code=500)(scope, receive, send)

    bench = make_bench(production=True)
    async with talk_to(AlertMiddleware(app, bench.alerts.monitor)) as client:
        assert (await client.get("/users/4711")).status_code == 500
    await bench.step()
    assert bench.discord.told[0].title == "Error 500: GET /users/{…}"


async def test_a_client_that_goes_away_is_no_error() -> None:
    async def app(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        raise asyncio.CancelledError

    bench = make_bench(production=True)
    watched = AlertMiddleware(app, bench.alerts.monitor)
    with pytest.raises(asyncio.CancelledError):
        await watched({"type": "http", "method": "GET", "path": "/"}, None, None)  # type: ignore[arg-type]
    await bench.step()
    assert bench.alerts.snapshot().monitor.recorded == {}


@pytest.mark.parametrize("gone", [ClientDisconnect(), WebSocketDisconnect(1001)])
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_a_client_that_went_away_in_the_middle_is_no_error_either(kind: str, gone: Exception) -> None:
    async def app(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        raise gone

    bench = make_bench(production=True)
    with pytest.raises(type(gone)):
        await AlertMiddleware(app, bench.alerts.monitor)({"type": kind, "path": "/"}, None, None)  # type: ignore[arg-type]
    await bench.step()
    assert bench.alerts.snapshot().monitor.recorded == {}


async def test_a_socket_whose_handler_fails_is_an_error_of_its_route_and_a_start_that_fails_is_none() -> None:
    async def app(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        raise KeyError("gone")

    bench = make_bench(production=True)
    watched = AlertMiddleware(app, bench.alerts.monitor)
    for scope in ({"type": "websocket", "path": "/live/4711"}, {"type": "lifespan"}):
        with pytest.raises(KeyError):
            await watched(scope, None, None)  # type: ignore[arg-type]
    await bench.step()
    assert [message.title for message in bench.discord.told] == ["Error 500: WEBSOCKET /live/{…}"]


async def test_a_background_task_that_fails_after_a_good_answer_is_an_error() -> None:
    bench = make_bench(production=True)
    app = make_app(bench)

    @app.get("/later")
    async def answer_and_fail(tasks: BackgroundTasks) -> str:
        def fail() -> None:
            raise RuntimeError("later")

        tasks.add_task(fail)
        return "fine"

    async with talk_to(app) as client:
        assert (await client.get("/later")).status_code == 200
    await bench.step()
    assert [message.title for message in bench.discord.told] == ["Error 500: GET /later"]
    assert bench.alerts.snapshot().monitor.recorded == {"request": 1}


async def test_two_applications_in_one_process_count_for_themselves() -> None:
    first, second = make_bench(), make_bench()
    async with talk_to(make_app(first)) as one, talk_to(make_app(second)) as two:
        for number in range(9):
            await one.get(f"/items/{number}")
        for number in range(10):
            await two.get(f"/items/{number}")
    await first.step()
    await second.step()
    assert (first.discord.said, second.discord.said) == ([], ["api-errors opened"])


def test_an_application_of_its_own_needs_two_lines_and_loads_nothing_heavy() -> None:
    program = """
import sys
from fastapi import FastAPI
app = FastAPI()
from tournee.monitoring import mount_alerts
alerts = mount_alerts(app)
heavy = {"asyncpg", "redis", "bullmq", "alembic", "sqlalchemy", "mistralai"} & set(sys.modules)
assert not heavy, heavy
assert app.user_middleware
print("mounted")
"""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert answer.stdout == "mounted\n", answer.stderr
