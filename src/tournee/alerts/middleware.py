"""The ASGI middleware that records what went wrong with a request. Pure ASGI: no task, no copy of a body.

Keeps: responses and exceptions pass unchanged; an application behaves the same with it and without. One request is
recorded once. A client that goes away is no error, whatever a framework raises for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tournee.alerts.monitor import Monitor
from tournee.alerts.rules import SERVER_ERROR

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


WATCHED = frozenset({"http", "websocket"})
CLIENT_GONE = frozenset({"ClientDisconnect", "ClientDisconnected", "WebSocketDisconnect"})
"""What Starlette and the servers raise for it; by name, since an application may have none of them."""


class AlertMiddleware:
    """`app.add_middleware(AlertMiddleware, monitor=monitor)` on any Starlette or FastAPI application; or around any
    ASGI application.
    """

    def __init__(self, app: App, monitor: Monitor) -> None:
        self._app = app
        self._monitor = monitor
        self._watched = monitor.watched_statuses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in WATCHED:
            await self._app(scope, receive, send)
            return
        failed = 0
        watched = self._watched

        def send_watched(message: MutableMapping[str, Any]) -> Awaitable[None]:
            # Not a coroutine of its own: what is awaited is the server's.
            nonlocal failed
            status = message.get("status", 0)
            if status >= SERVER_ERROR or status in watched:
                failed = status
            return send(message)

        try:
            await self._app(scope, receive, send_watched)
        except Exception as error:
            if not is_client_gone(error):
                self._monitor.record_exception(error, scope)
            raise
        if failed:
            self._monitor.record_response(failed, scope)


def is_client_gone(error: BaseException) -> bool:
    """Whether this only says that nobody listens any more."""
    return any(base.__name__ in CLIENT_GONE for base in type(error).__mro__)
