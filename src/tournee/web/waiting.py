"""What is answered before the application can be: PostgreSQL was away when the process started.

Keeps: every request gets a clear 503 that says when to come back; no route, no session and no store is needed. Says
nothing of the system but that it waits.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

RETRY_SECONDS = 3
ERROR = "PostgreSQL does not answer yet; everything goes on by itself once it is there."
PAGE = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>One moment</title>'
    f'<meta http-equiv="refresh" content="{RETRY_SECONDS}"></head>'
    f"<body><h1>One moment</h1><p>{ERROR}</p>"
    '<p lang="fr">PostgreSQL ne répond pas encore ; tout reprendra seul dès qu’il sera là.</p></body></html>'
)

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def answer_unavailable(scope: Scope, _receive: object, send: Send) -> None:
    """A plain ASGI application: 503 for everything, a page for people and JSON for programs."""
    if scope["type"] != "http":
        return
    accepts = dict(scope["headers"]).get(b"accept", b"")
    wants_page = b"text/html" in accepts and not scope["path"].startswith("/api/")
    kind = b"text/html; charset=utf-8" if wants_page else b"application/json"
    body = (PAGE if wants_page else json.dumps({"error": ERROR})).encode()
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", str(RETRY_SECONDS).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
