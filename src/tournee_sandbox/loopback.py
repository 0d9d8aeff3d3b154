"""Sockets on 127.0.0.1 and the HTTP server on them.

Ports lie below 32768, under Linux's ephemeral range, and a socket listens from the moment its port is known, so that
nothing else can take the port between choosing and using it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import Iterator

import uvicorn
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

LOWEST_PORT = 20_000
HIGHEST_PORT = 32_767
TRIES = 200
BACKLOG = 128
CUT = "tournee_sandbox.cut"


def listen_on_loopback(port: int | None = None) -> socket.socket:
    """A non-blocking listening socket on `port`, or on a free one. Raises OSError if there is none."""
    ports = [port] if port is not None else random.SystemRandom().sample(range(LOWEST_PORT, HIGHEST_PORT + 1), TRIES)
    for candidate in ports:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            # A port asked for may still be in TIME_WAIT from the run before. Linux wants both runs to have said so.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", candidate))
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            if port is not None:
                raise
            continue
        listener.setblocking(False)
        return listener
    raise OSError(f"no free port found on 127.0.0.1 in {TRIES} tries")


class _QuietServer(uvicorn.Server):
    """uvicorn inside somebody else's process: the signals stay with the process, and the end comes when it is asked."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._asked_to_end = asyncio.Event()

    def end(self) -> None:
        self.should_exit = True
        self._asked_to_end.set()

    async def main_loop(self) -> None:
        """As uvicorn's, which looks ten times a second whether to end; its other duties fall once a second."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked_to_end.wait(), 1.0)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _CuttableProtocol(H11Protocol):
    """uvicorn's protocol, with a way for the application to cut the connection it answers on."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        inner = self.app

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            scope["extensions"] = {**scope.get("extensions", {}), CUT: transport.abort}
            await inner(scope, receive, send)

        self.app = application


async def cut_connection(request: Request) -> None:
    """Reset the connection of `request` without an answer, or in the middle of one; returns when it is gone."""
    request.scope["extensions"][CUT]()
    while (await request.receive())["type"] != "http.disconnect":
        continue


class LoopbackHttp:
    """Serves one ASGI application on loopback until stopped. A Host header that names another host gets a 400."""

    def __init__(self, application: ASGIApp, port: int | None = None) -> None:
        self._application = TrustedHostMiddleware(application, allowed_hosts=["127.0.0.1", "localhost"])
        self._port = port
        self._server: _QuietServer | None = None
        self._serving: asyncio.Task[None] | None = None
        self.url = ""

    async def start(self) -> None:
        listener = listen_on_loopback(self._port)
        self._port = listener.getsockname()[1]  # A start after a stop is found where the first one was.
        self.url = f"http://127.0.0.1:{self._port}"
        config = uvicorn.Config(
            self._application,
            lifespan="off",
            ws="none",
            http=_CuttableProtocol,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        self._server = _QuietServer(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]), name="sandbox-http")

    async def stop(self) -> None:
        if self._server is None or self._serving is None:
            return
        self._server.end()
        await asyncio.wait([self._serving])
        self._server = self._serving = None
