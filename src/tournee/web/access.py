"""The door: who may speak to this server, and what every answer carries.

Until accounts exist the server listens on loopback only (`check_bind`), believes only loopback `Host` headers (a
name that an attacker points at 127.0.0.1 gets nothing), wants the access token as a bearer or the cookie made
from it, and accepts a changing request from its own pages alone. It fails closed: a route added later is
guarded without doing anything.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request, cookie_parser
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tournee.kit.errors import SetupError
from tournee.web.headers import PAGE_HEADERS
from tournee.web.refusals import Refusal, refuse
from tournee.web.sessions import Session, Sessions, cookie_name

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrf_token"
MAX_FORM_BYTES = 64 * 1024

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN_PATHS = frozenset({"/healthz", "/readyz", "/enter"})
_STATIC_PREFIX = "/static/"
_OPEN_PREFIXES = (_STATIC_PREFIX, "/language/")
_HOOKS_PREFIX = "/hooks/"
METRICS_PATH = "/metrics"


def check_bind(host: str) -> None:
    """Raise `SetupError` for an address that others than this machine could reach."""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise SetupError(
            f"the console has no accounts yet and listens on this machine only: {host} is no loopback address; "
            "use 127.0.0.1 and reach it through an SSH tunnel"
        )


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks: a session of a browser, or (`session` None) a program with the bearer token."""

    session: Session | None
    csrf_token: str

    @property
    def actor(self) -> str:
        """The name under which acts are audited."""
        return f"console:{self.session.id[:8]}" if self.session else "api"


class AccessMiddleware:
    """Lets in whoever may come in, puts a `Visitor` into the request's state, adds the security headers."""

    def __init__(
        self, app: ASGIApp, sessions: Sessions, ports: Sequence[int], metrics_token: str | None = None
    ) -> None:
        self._app = app
        self._metrics_token = metrics_token
        self._sessions = sessions
        self._ports = frozenset(ports)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # Lifespan passes; a websocket has no business here.
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        path: str = scope["path"]
        send = _with_headers(send, _choose_caching(path, scope["query_string"]))
        if path.startswith(_HOOKS_PREFIX):
            await self._app(scope, receive, send)
            return
        host, port = _split_host(headers.get("host", ""))
        refusal = self._check_host(host, port)
        if refusal is None and not _is_open(path) and not self._may_scrape(path, headers):
            refusal, receive = await self._check_visitor(scope, headers, port, receive)
        if refusal is not None:
            response: Response = refuse(Request(scope), refusal)
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _may_scrape(self, path: str, headers: Headers) -> bool:
        """A token of its own, so that whoever scrapes can do nothing else."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if path != METRICS_PATH or self._metrics_token is None or scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(given.strip().encode(), self._metrics_token.encode())

    def _check_host(self, host: str, port: int | None) -> Refusal | None:
        if host in LOOPBACK_NAMES and (port or 80) in self._ports:
            return None
        return Refusal.HOST

    async def _check_visitor(
        self, scope: Scope, headers: Headers, port: int | None, receive: Receive
    ) -> tuple[Refusal | None, Receive]:
        visitor = self._identify(headers, port)
        if visitor is None:
            return Refusal.STRANGER, receive
        scope.setdefault("state", {})["visitor"] = visitor
        if scope["method"] in _SAFE_METHODS:
            return None, receive
        if not _is_own_origin(scope, headers, required=visitor.session is not None):
            return Refusal.ORIGIN, receive
        if visitor.session is None:
            return None, receive
        offered = headers.get(CSRF_HEADER)
        if offered is None and _is_form(headers):
            body = await _read_body(receive)
            if body is None:
                return Refusal.TOO_LARGE, receive
            offered = _form_token(body)
            receive = _replay(body, receive)
        return (None if self._sessions.is_csrf_token(visitor.session, offered) else Refusal.CSRF), receive

    def _identify(self, headers: Headers, port: int | None) -> Visitor | None:
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return Visitor(None, "") if self._sessions.is_token(credentials.strip()) else None
        cookies = cookie_parser(headers.get("cookie", ""))
        session = self._sessions.read_session(cookies.get(cookie_name(port)))
        return Visitor(session, self._sessions.make_csrf_token(session)) if session else None


def visitor_of(request: Request) -> Visitor:
    """The visitor of a guarded request."""
    visitor: Visitor = request.state.visitor
    return visitor


def _is_open(path: str) -> bool:
    return path in _OPEN_PATHS or path.startswith(_OPEN_PREFIXES)


def _split_host(header: str) -> tuple[str, int | None]:
    """Name and port of a `Host` header; ("", None) for a malformed one."""
    try:
        parts = urlsplit(f"//{header}")
        if parts.username is not None or parts.path or parts.query:
            return "", None
        return parts.hostname or "", parts.port
    except ValueError:
        return "", None


def _is_own_origin(scope: Scope, headers: Headers, *, required: bool) -> bool:
    """Browsers name the page a POST comes from; a program with a bearer token need not.

    A plain form of ours names none (`null`), because our pages send no referrer; then `Sec-Fetch-Site` tells, which no
    page can set.
    """
    origin = headers.get("origin")
    if origin is not None and origin != "null":
        return origin == f"{scope['scheme']}://{headers.get('host', '')}"
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return origin is None and not required


def _is_form(headers: Headers) -> bool:
    return headers.get("content-type", "").partition(";")[0].strip() == "application/x-www-form-urlencoded"


def _form_token(body: bytes) -> str | None:
    values = parse_qs(body.decode("utf-8", "replace"), max_num_fields=1000).get(CSRF_FIELD)
    return values[0] if values else None


async def _read_body(receive: Receive) -> bytes | None:
    """The whole body, or None past `MAX_FORM_BYTES`."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > MAX_FORM_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give the application the body that was read here; then what comes next."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay


def _choose_caching(path: str, query: bytes) -> str:
    """Pages are never kept; a static file whose address names its content is kept for ever."""
    if not path.startswith(_STATIC_PREFIX):
        return "no-store"
    return "public, max-age=31536000, immutable" if query.startswith(b"v=") else "no-cache"


def _with_headers(send: Send, caching: str) -> Send:
    async def send_guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in PAGE_HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", caching)
        await send(message)

    return send_guarded
