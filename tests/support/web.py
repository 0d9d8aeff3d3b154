"""The web application on a real engine, served on a real port, and a client that has come in through the link.

The pipeline behind it is the one of `tests.support.pipeline`: real PostgreSQL, real Valkey, real stages.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.support.pipeline import Pipeline, write_newsletter
from tournee.integrations.local.index import EmbeddedIndex
from tournee.pipeline.importing import ImportRequest
from tournee.pipeline.store.console import ConsoleStore
from tournee.web import state
from tournee.web.app import create_app
from tournee.web.feed import Feed
from tournee.web.ports import WebServices
from tournee.web.server import WebServer, bind_loopback

HTML = {"accept": "text/html"}


@dataclass
class RunningWeb:
    """One served application."""

    app: FastAPI
    server: WebServer
    token: str
    asked: list[str]
    """The path and query of every request that arrived."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def link(self) -> str:
        return f"{self.url}/enter?token={self.token}"

    @property
    def feed(self) -> Feed:
        return state.of(self.app).feed

    def open_client(self, **options: Any) -> httpx.AsyncClient:
        """A client that has not come in yet."""
        return httpx.AsyncClient(base_url=self.url, trust_env=False, **{"timeout": 60, **options})

    @asynccontextmanager
    async def enter(self, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
        """A browser's session, come in through the link."""
        async with self.open_client(**options) as client:
            answer = await client.get("/enter", params={"token": self.token})
            assert answer.status_code == 303
            yield client

    @asynccontextmanager
    async def call(self) -> AsyncIterator[httpx.AsyncClient]:
        """A program with the bearer token."""
        async with self.open_client(headers={"authorization": f"Bearer {self.token}"}) as client:
            yield client


class Recorder:
    """Notes what is asked for, and passes it on."""

    def __init__(self, app: ASGIApp, asked: list[str]) -> None:
        self._app = app
        self._asked = asked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._asked.append(f"{scope['path']}?{scope['query_string'].decode()}")
        await self._app(scope, receive, send)


@asynccontextmanager
async def serve_web(
    pipeline: Pipeline, port: int = 0, watch: Callable[[FastAPI], None] = lambda app: None, **options: Any
) -> AsyncIterator[RunningWeb]:
    """Serve the application over a pipeline; `options` replace what `WebServices` gets. Port 0: a free one.
    `watch` gets the application before it serves.
    """
    sock = bind_loopback("127.0.0.1", port)
    token = options.get("access_token") or secrets.token_urlsafe(32)
    given: dict[str, Any] = {
        "engine": pipeline.engine,
        "console": ConsoleStore(pipeline.pool),
        "search": EmbeddedIndex(pipeline.pool),
        "access_token": token,
        "ports": [sock.getsockname()[1]],
        # Snapshots come fast, so that tests wait for events and not for a clock.
        "snapshot_interval_seconds": 0.05,
    }
    app = create_app(WebServices(**{**given, **options}))
    asked: list[str] = []
    app.add_middleware(Recorder, asked=asked)
    watch(app)
    server = WebServer(app, sock)
    await server.start()
    try:
        yield RunningWeb(app, server, token, asked)
    finally:
        await server.stop()


async def read_csrf_token(client: httpx.AsyncClient, path: str = "/") -> str:
    """The CSRF token that a page gives to its own scripts."""
    page = await client.get(path, headers=HTML)
    found = re.search(r'"X-CSRF-Token": "([0-9a-f]{64})"', page.text)
    assert found, "the page holds no CSRF token"
    return found[1]


async def post_form(client: httpx.AsyncClient, path: str, **fields: Any) -> httpx.Response:
    """Send a form as this session's own page would, without scripts."""
    token = await read_csrf_token(client)
    origin = str(client.base_url).rstrip("/")
    return await client.post(path, data={"csrf_token": token, **fields}, headers={**HTML, "origin": origin})


async def read_events(response: httpx.Response) -> AsyncIterator[str]:
    """The data of each server-sent event, as it comes."""
    lines: list[str] = []
    async for line in response.aiter_lines():
        if line.startswith("data:"):
            lines.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and lines:
            yield "\n".join(lines)
            lines = []


async def import_newsletters(pipeline: Pipeline, folder: Path, *subjects: str) -> None:
    """Put newsletters into the mailbox and run the whole pipeline over them."""
    for number, subject in enumerate(subjects):
        (folder / f"{number}.eml").write_bytes(write_newsletter(subject))
    if pipeline.worker is None:
        await pipeline.start()
    await pipeline.importer.run(ImportRequest(folder, "import", notifies=True))
    # The stages' own index only keeps what it got; the search page looks into the embedded one.
    await EmbeddedIndex(pipeline.pool).put(list(pipeline.index.documents.values()))


async def find_message(pipeline: Pipeline, subject: str) -> int:
    """The id of the message with that subject."""
    return await pipeline.count("SELECT id FROM news.messages WHERE subject = $1", subject)


async def find_job(pipeline: Pipeline, queue: str, key: str) -> int:
    """The id of a job."""
    return await pipeline.count("SELECT id FROM engine.jobs WHERE queue = $1 AND key = $2", queue, key)
