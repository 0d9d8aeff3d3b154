"""The id of a request: taken from whoever calls or made here, on every line it logs, and given back.

An ASGI layer around the whole application, so that failures have it too. An id from outside is taken only if it is
short and plain: it goes into logs and headers.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from tournee.kit.logs.correlation import bind_to_task

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = b"x-request-id"
_ALLOWED = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


class RequestIds:
    """Wraps an application. Every request runs in a task of its own, as the server starts it."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        request_id = choose_id(scope["headers"])
        bind_to_task({"request": request_id})

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(name, value) for name, value in message.get("headers", ()) if name.lower() != HEADER]
                message = {**message, "headers": [*kept, (HEADER, request_id.encode())]}
            await send(message)

        await self._application(scope, receive, send_with_id)


def choose_id(headers: list[tuple[bytes, bytes]]) -> str:
    """The caller's id if there is exactly one and it is fit, else a new one."""
    given = [value for name, value in headers if name.lower() == HEADER]
    if len(given) == 1 and _ALLOWED.fullmatch(given[0]):
        return given[0].decode("ascii")
    return uuid.uuid4().hex
