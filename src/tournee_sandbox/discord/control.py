"""The control interface of the Discord simulator, over loopback HTTP.

| request | answer |
|---|---|
| `GET /` | the latest messages, laid out as Discord would |
| `GET /page/{number}` | one message, laid out alone |
| `GET /messages?contains=&offset=&limit=` · `DELETE /messages` | the messages in the order of arrival; forget them |
| `GET /messages/count` | `{count, embeds}` |
| `GET /webhooks` · `POST /webhooks?name=` | the webhooks that exist, with their URLs; make another one |
| `DELETE /webhooks/{id}` | delete one, as somebody in Discord would: it is unknown from then on |
| `GET /faults` · `PUT /faults` · `DELETE /faults` | the plan: read, replace (a list), clear |
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from tournee_sandbox.discord.api import DiscordState
from tournee_sandbox.discord.layout import render_page
from tournee_sandbox.discord.webhooks import Webhook
from tournee_sandbox.http_faults import build_fault_routes

PAGE_SIZE = 100
LARGEST_PAGE = 1_000
_POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


def build_control(state: DiscordState, name_url: Callable[[Webhook], str]) -> Starlette:
    """The application that reads and steers `state`. `name_url` answers where a webhook is reached."""
    control = _Control(state, name_url)
    return Starlette(
        routes=[
            Route("/", control.show_latest),
            Route("/page/{number:int}", control.show_one),
            Route("/messages", control.list_messages),
            Route("/messages", control.clear_messages, methods=["DELETE"]),
            Route("/messages/count", control.count_messages),
            Route("/webhooks", control.list_webhooks),
            Route("/webhooks", control.add_webhook, methods=["POST"]),
            Route("/webhooks/{webhook_id}", control.remove_webhook, methods=["DELETE"]),
            *build_fault_routes(state.plan),
        ]
    )


class _Control:
    def __init__(self, state: DiscordState, name_url: Callable[[Webhook], str]) -> None:
        self._state = state
        self._name_url = name_url

    async def show_latest(self, request: Request) -> Response:
        messages = self._state.store.messages
        return HTMLResponse(render_page(messages[-PAGE_SIZE:], len(messages)), headers=_POLICY)

    async def show_one(self, request: Request) -> Response:
        number = request.path_params["number"]
        messages = self._state.store.messages
        if not 1 <= number <= len(messages):
            return JSONResponse({"error": f"there is no message {number}"}, status_code=404)
        return HTMLResponse(render_page([messages[number - 1]], len(messages)), headers=_POLICY)

    async def list_messages(self, request: Request) -> Response:
        query = request.query_params
        try:
            offset, limit = int(query.get("offset", 0)), int(query.get("limit", PAGE_SIZE))
        except ValueError:
            return JSONResponse({"error": "offset and limit are numbers"}, status_code=422)
        if offset < 0 or not 0 <= limit <= LARGEST_PAGE:
            words = f"offset is at least 0, limit at most {LARGEST_PAGE}"
            return JSONResponse({"error": words}, status_code=422)
        wanted = query.get("contains", "")
        fitting = [
            message for message in self._state.store.messages if wanted in json.dumps(message.sent, ensure_ascii=False)
        ]
        page = [asdict(message) for message in fitting[offset : offset + limit]]
        return JSONResponse({"total": len(fitting), "messages": page})

    async def count_messages(self, request: Request) -> Response:
        messages = self._state.store.messages
        embeds = sum(len(message.sent.get("embeds") or ()) for message in messages)
        return JSONResponse({"count": len(messages), "embeds": embeds})

    async def clear_messages(self, request: Request) -> Response:
        self._state.store.clear()
        return JSONResponse({"count": 0})

    async def list_webhooks(self, request: Request) -> Response:
        return JSONResponse([self._describe(webhook) for webhook in self._state.webhooks.list_all()])

    async def add_webhook(self, request: Request) -> Response:
        webhook = self._state.webhooks.add(request.query_params.get("name") or "Alerts")
        return JSONResponse(self._describe(webhook), status_code=201)

    async def remove_webhook(self, request: Request) -> Response:
        self._state.webhooks.remove(request.path_params["webhook_id"])
        return Response(status_code=204)

    def _describe(self, webhook: Webhook) -> dict[str, str]:
        return {"id": webhook.id, "name": webhook.name, "url": self._name_url(webhook)}
