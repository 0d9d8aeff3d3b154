"""The API of a chaos run: one HTTP route that enqueues in a transaction, as an application's would.

Invariant: 201 is answered only after the COMMIT was. Whoever gets another answer, or none, asks again with the same
keys. Refuses to keep a caller waiting: 503 after `ANSWER_SECONDS`, whatever the ledger does. It never asks Redis: the
relay beside it does, in its own time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.chaos.points import Points
from tests.chaos.workload import Bulk, Free, Mail, Task
from tournee.engine.client import (
    Engine,
    Enqueued,
    LedgerContended,
    LedgerUnavailable,
    Payload,
    Priority,
    Transaction,
)

ANSWER_SECONDS = 4.0
"""When the route gives up on the ledger. Callers wait for longer."""
PATH = "/jobs"
CREATED, ROLLED_BACK, MALFORMED, UNAVAILABLE = 201, 409, 422, 503
KINDS: dict[str, type[Payload]] = {payload.kind: payload for payload in (Task, Free, Bulk, Mail)}


class WantedJob(BaseModel):
    """One job of a request."""

    model_config = ConfigDict(extra="forbid")
    kind: str
    payload: dict[str, Any]


class Group(BaseModel):
    """Jobs that one call of the engine enqueues."""

    model_config = ConfigDict(extra="forbid")
    jobs: list[WantedJob]
    priority: Priority = Priority.NORMAL
    delay_seconds: float = 0.0

    @classmethod
    def of(cls, payloads: Sequence[Payload], priority: Priority = Priority.NORMAL, delay_seconds: float = 0.0) -> Group:
        """The same, from payloads."""
        jobs = [WantedJob(kind=payload.kind, payload=payload.model_dump(mode="json")) for payload in payloads]
        return cls(jobs=jobs, priority=priority, delay_seconds=delay_seconds)

    def read_payloads(self) -> list[Payload]:
        """Raises `ValidationError` or KeyError for what is none of ours."""
        return [KINDS[job.kind].model_validate(job.payload) for job in self.jobs]


class Order(BaseModel):
    """The body of a request: all of it is enqueued, or nothing. `changes_mind`: roll it back at the end."""

    model_config = ConfigDict(extra="forbid")
    groups: list[Group]
    changes_mind: bool = False


class ChangedMind(Exception):
    """The route rolls back."""


class JobsApi:
    """The route. Passes by `posting` before its COMMIT and by `posted` between COMMIT and answer."""

    def __init__(self, engine: Engine, points: Points) -> None:
        self._engine = engine
        self._points = points

    async def post(self, request: Request) -> Response:
        try:
            order = Order.model_validate_json(await request.body())
            batches = [(group, group.read_payloads()) for group in order.groups]
        except (ValidationError, KeyError) as error:
            return JSONResponse({"error": str(error)}, MALFORMED)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answers = await self._enqueue(batches, changes_mind=order.changes_mind)
        except ChangedMind:
            return JSONResponse({"error": "rolled back, as was asked"}, ROLLED_BACK)
        except (LedgerUnavailable, LedgerContended, TimeoutError) as error:
            return JSONResponse({"error": type(error).__name__}, UNAVAILABLE, {"retry-after": "1"})
        await self._points.pass_by("posted")
        jobs = [[answer.job_id, answer.created] for answer in answers]
        return JSONResponse({"jobs": jobs}, CREATED)

    async def _enqueue(self, batches: list[tuple[Group, list[Payload]]], *, changes_mind: bool) -> list[Enqueued]:
        answers: list[Enqueued] = []
        async with self._engine.transaction() as tx:
            for group, payloads in batches:
                answers += await _enqueue_group(tx, group, payloads)
            await self._points.pass_by("posting")
            if changes_mind:
                raise ChangedMind
        return answers


async def _enqueue_group(tx: Transaction, group: Group, payloads: list[Payload]) -> Sequence[Enqueued]:
    delay = timedelta(seconds=group.delay_seconds)
    return await tx.enqueue_many(payloads, priority=group.priority, delay=delay)


def build_api(engine: Engine, points: Points) -> Starlette:
    """The application, for any ASGI server."""
    return Starlette(routes=[Route(PATH, JobsApi(engine, points).post, methods=["POST"])])
