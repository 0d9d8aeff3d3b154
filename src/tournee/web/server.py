"""The HTTP server: uvicorn, told to end open streams before it waits for connections.

Invariant: `stop` returns within the grace period however many browsers watch.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI

from tournee.web.access import check_bind
from tournee.web.app import close_streams
from tournee.web.request_ids import RequestIds

if TYPE_CHECKING:
    from starlette.types import ASGIApp


class _Uvicorn(uvicorn.Server):
    """Leaves signals to the process that runs it, and closes streams first when it goes down."""

    def __init__(self, config: uvicorn.Config, app: FastAPI | None) -> None:
        super().__init__(config)
        self._app = app

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the command line."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._app is not None:
            close_streams(self._app)
        await super().shutdown(sockets)


class WebServer:
    """One listening application, ours or a plain ASGI one without a lifespan. Start and stop it in one event loop."""

    def __init__(self, app: ASGIApp, sock: socket.socket, grace_seconds: float = 3.0) -> None:
        config = uvicorn.Config(
            RequestIds(app),
            lifespan="on" if isinstance(app, FastAPI) else "off",
            # The start link holds the token, so requests are never written to a log.
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=max(1, round(grace_seconds)),
            h11_max_incomplete_event_size=32 * 1024,
        )
        self._server = _Uvicorn(config, app if isinstance(app, FastAPI) else None)
        self._socket = sock
        self.port: int = sock.getsockname()[1]
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return when it accepts connections; raises what kept it from doing so."""
        self._task = asyncio.create_task(self._server.serve([self._socket]), name="web-server")
        while not self._server.started:
            if self._task.done():
                await self._task
                raise RuntimeError("the web application refused to start")
            await asyncio.sleep(0.01)

    async def wait(self) -> None:
        """Return when the server has ended, whatever ended it."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def stop(self) -> None:
        """End streams, let requests finish within the grace period, cut the rest."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._socket.close()


def bind_loopback(host: str, port: int) -> socket.socket:
    """A socket listening on `host`; raises `SetupError` for one that isn't loopback, OSError for a port in use.
    Port 0 takes a free one."""
    check_bind(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(128)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock
