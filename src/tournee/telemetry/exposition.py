"""How metrics leave a process: rendered for a route of the API, or served on a port of their own.

Keeps: rendering happens in a thread, so that no scrape holds up the event loop; on the port nothing is told without
the token, and it answers also while the event loop is stuck, which is when it matters most.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import socketserver
import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client.exposition import choose_encoder

from tournee.telemetry.meters import Meters

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Look = Callable[[], Awaitable[None]]
LOOK_SECONDS = 5.0
PATH = "/metrics"


async def look_at_nothing() -> None:
    """All figures are in memory."""


class Exposition:
    """Renders one process's metrics; `look` is awaited first, to have the stores' figures fresh."""

    def __init__(self, meters: Meters, look: Look = look_at_nothing) -> None:
        self.meters = meters
        self.look = look

    async def render(self, accept: str) -> tuple[bytes, str]:
        """The text and its content type, as the scraper accepts it."""
        await self.look()
        return await asyncio.to_thread(self._encode, accept)

    def render_from_thread(self, accept: str, loop: asyncio.AbstractEventLoop) -> tuple[bytes, str]:
        """The same for a thread; a loop that is stuck is not waited for, and the figures are those of the last look."""
        with contextlib.suppress(Exception):
            asyncio.run_coroutine_threadsafe(_await(self.look), loop).result(LOOK_SECONDS)
        return self._encode(accept)

    def _encode(self, accept: str) -> tuple[bytes, str]:
        encode, content_type = choose_encoder(accept)
        return encode(self.meters.registry), content_type


async def _await(look: Look) -> None:
    await look()


class MetricsServer:
    """Serves an exposition to whoever has the token, on a port of its own. Raises OSError for a port in use."""

    def __init__(self, exposition: Exposition, token: str, host: str, port: int) -> None:
        self._exposition = exposition
        self._token = token.encode()
        self._loop = asyncio.get_running_loop()
        self._server = _Server((host, port), _Quiet)
        self._server.set_app(self._answer)
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    async def stop(self) -> None:
        """Listen no more; an answer under way is not waited for."""
        await asyncio.to_thread(self._server.shutdown)
        self._server.server_close()

    def _answer(self, environment: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        scheme, _, given = environment.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._token):
            start("401 Unauthorized", [("WWW-Authenticate", "Bearer"), ("Content-Length", "0")])
            return [b""]
        if environment.get("PATH_INFO") != PATH or environment.get("REQUEST_METHOD") != "GET":
            start("404 Not Found", [("Content-Length", "0")])
            return [b""]
        body, content_type = self._exposition.render_from_thread(environment.get("HTTP_ACCEPT", ""), self._loop)
        start("200 OK", [("Content-Type", content_type), ("Content-Length", str(len(body)))])
        return [body]


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False

    def server_bind(self) -> None:
        """Without the look-up of our own name, which may take seconds where there is no resolver."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[0], self.server_address[1]  # type: ignore[assignment]
        self.setup_environ()


class _Quiet(WSGIRequestHandler):
    """Logs no requests, and gives up on a client that says nothing."""

    timeout = 10

    def address_string(self) -> str:
        return str(self.client_address[0])

    def log_message(self, format: str, *args: object) -> None:
        """A scrape every few seconds is no news."""
