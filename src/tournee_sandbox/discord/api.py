"""The part of Discord's API that a webhook's owner calls: execute, look at, delete.

What is stored is what a client was told was taken, and what a fault says was kept although the client was not told.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tournee_sandbox.discord.answers import (
    DEFAULT_VERSION,
    RateLimited,
    answer_ban,
    answer_error,
    answer_invalid,
    answer_rate_limited,
    describe_message,
    describe_webhook,
)
from tournee_sandbox.discord.fault import DiscordFault
from tournee_sandbox.discord.message_store import MessageStore
from tournee_sandbox.discord.rate_limit import RateLimiter
from tournee_sandbox.discord.request import Message, Refused, read_message
from tournee_sandbox.discord.webhooks import Webhook, Webhooks
from tournee_sandbox.http_faults import HttpFaultPlan, drip, misbehave

LARGEST_BODY_BYTES = 8 * 1024 * 1024
TRUE = ("true", "1", "True")
_SNOWFLAKE = re.compile(r"0|[1-9][0-9]{0,19}")


@dataclass(frozen=True, slots=True)
class DiscordState:
    """What the API and the control interface share. `ended` is set when the simulator stops."""

    webhooks: Webhooks
    store: MessageStore
    plan: HttpFaultPlan[DiscordFault]
    limiter: RateLimiter
    ended: asyncio.Event


@dataclass(frozen=True, slots=True)
class _Execution:
    """One request that named an existing webhook and was let through."""

    webhook: Webhook
    channel_id: str
    body: bytes
    message: Message
    headers: Mapping[str, str]
    waits: bool


def build_api(state: DiscordState) -> Starlette:
    """The application under `/api`."""
    api = _Api(state)
    routes = []
    for prefix in ("/api/webhooks", "/api/v{version:int}/webhooks"):
        path = prefix + "/{webhook_id}/{token}"
        routes += [
            Route(path, api.execute, methods=["POST"]),
            Route(path, api.show, methods=["GET"]),
            Route(path, api.delete, methods=["DELETE"]),
        ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _answer_plain_error})


def _answer_plain_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"message": f"{error.status_code}: {error.detail}", "code": 0}, error.status_code)


class _Api:
    def __init__(self, state: DiscordState) -> None:
        self._state = state

    async def execute(self, request: Request) -> Response:
        found = self._find(request)
        if isinstance(found, Response):
            return found
        version = _read_version(request)
        admission = self._state.limiter.admit(found.id)
        if not admission.admitted:
            return answer_rate_limited(RateLimited(admission.reset_after), admission.headers, version)
        body = await request.body()
        if len(body) > LARGEST_BODY_BYTES:
            return JSONResponse({"message": "Request entity too large", "code": 40005}, 413, admission.headers)
        try:
            execution = _read_execution(request, found, body, admission.headers)
        except Refused as refused:
            return answer_invalid(refused.body, admission.headers, version)
        fault = self._state.plan.take(body)
        if fault is not None and (answer := await self._misbehave(request, fault, execution, version)) is not None:
            return answer
        answer = self._take(execution)
        return drip(answer, fault.seconds) if fault is not None and fault.kind == "drip" else answer

    async def show(self, request: Request) -> Response:
        found = self._find(request)
        if isinstance(found, Response):
            return found
        url = f"{request.base_url}api/webhooks/{found.id}/{found.token}"
        return JSONResponse(describe_webhook(found, url), headers=self._state.limiter.admit(f"get {found.id}").headers)

    async def delete(self, request: Request) -> Response:
        found = self._find(request)
        if isinstance(found, Response):
            return found
        self._state.webhooks.remove(found.id)
        return Response(status_code=204)

    def _find(self, request: Request) -> Webhook | Response:
        webhook_id = request.path_params["webhook_id"]
        if not _SNOWFLAKE.fullmatch(webhook_id):
            return answer_invalid(_refuse_number("webhook_id", webhook_id), {}, _read_version(request))
        webhook = self._state.webhooks.find(webhook_id)
        if webhook is None:
            return answer_error(404, {})
        return webhook if request.path_params["token"] == webhook.token else answer_error(401, {})

    def _take(self, execution: _Execution, *, answered: bool = True) -> Response:
        message = execution.message
        received = self._state.store.add(
            execution.body, message, execution.webhook, execution.channel_id, answered=answered
        )
        if not execution.waits:
            return Response(status_code=204, headers=dict(execution.headers))
        return JSONResponse(describe_message(received, message), headers=execution.headers)

    async def _misbehave(
        self, request: Request, fault: DiscordFault, execution: _Execution, version: int
    ) -> Response | None:
        if fault.stored and fault.kind not in ("delay", "drip"):
            self._take(execution, answered=False)
        match fault.kind:
            case "status":
                return answer_error(fault.code, execution.headers)
            case "ratelimit":
                return answer_rate_limited(RateLimited(fault.seconds, fault.scope), execution.headers, version)
            case "ban":
                return answer_ban(fault.seconds)
            case _:
                return await misbehave(request, fault, self._state.ended)


def _read_version(request: Request) -> int:
    return int(request.path_params.get("version", DEFAULT_VERSION))


def _read_execution(request: Request, webhook: Webhook, body: bytes, headers: Mapping[str, str]) -> _Execution:
    """Raises Refused."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        words = "Expected \"Content-Type\" header to be one of {'application/json'}."
        fault = {"_errors": [{"code": "CONTENT_TYPE_INVALID", "message": words}]}
        raise Refused({"message": "Invalid Form Body", "code": 50035, "errors": fault})
    thread_id = request.query_params.get("thread_id")
    if thread_id is not None and not _SNOWFLAKE.fullmatch(thread_id):
        raise Refused(_refuse_number("thread_id", thread_id))
    waits = request.query_params.get("wait") in TRUE
    return _Execution(webhook, thread_id or webhook.channel_id, body, read_message(body), headers, waits)


def _refuse_number(name: str, value: str) -> dict[str, object]:
    fault = {"code": "NUMBER_TYPE_COERCE", "message": f'Value "{value[:50]}" is not snowflake.'}
    return {"message": "Invalid Form Body", "code": 50035, "errors": {name: {"_errors": [fault]}}}
