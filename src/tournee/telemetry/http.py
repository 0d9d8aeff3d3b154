"""Counts and traces the requests of an ASGI application, by route. Adds nothing to an answer and changes none."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tournee.telemetry import catalogue
from tournee.telemetry.meters import Meters
from tournee.telemetry.tracing.spans import NO_SPANS, Spans

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED = "unmatched"
FAULT = 500


class RequestMeter:
    """What an application's requests are counted with; made once, before the application."""

    def __init__(self, meters: Meters, spans: Spans = NO_SPANS) -> None:
        self.requests = meters.count(catalogue.HTTP_REQUESTS)
        self.seconds = meters.measure(catalogue.HTTP_SECONDS)
        self.spans = spans


class RequestMeterMiddleware:
    """ASGI middleware; outermost, so that refusals count too."""

    def __init__(self, app: ASGIApp, meter: RequestMeter) -> None:
        self._app = app
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = FAULT

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._note(scope, status, time.perf_counter() - began)
            await send(message)

        method = _name_method(scope)
        with self._meter.spans.open_request(method, _read_header(scope, b"traceparent")) as span:
            try:
                await self._app(scope, receive, send_noted)
            finally:
                span.end_request(_name_route(scope), status)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method, route = _name_method(scope), _name_route(scope)
        self._meter.requests.labels(method, route, str(status)).inc()
        self._meter.seconds.labels(method, route).observe(seconds)


def _name_method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in METHODS else "other"


def _name_route(scope: Mapping[str, Any]) -> str:
    """The route's pattern, never the path: ids in paths have no bound."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else UNMATCHED


def _read_header(scope: Scope, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)
