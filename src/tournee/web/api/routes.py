"""The JSON API's routes: status, jobs, dead letters, newsletters, search; liveness and readiness.

All under /api need the access token as a bearer (or the console's cookie, with its CSRF token for changes). Lists
go on from the last id seen (`before`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Literal, TypeVar

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response

from tournee.engine.client import JobState, Operator
from tournee.web import state
from tournee.web.access import visitor_of
from tournee.web.api import models
from tournee.web.api.reports import report_status
from tournee.web.patience import read_within
from tournee.web.ports import DEAD_LETTERS, UNAVAILABLE

_T = TypeVar("_T")
_REFUSALS: dict[int | str, dict[str, type[models.Problem]]] = {
    code: {"model": models.Problem} for code in (401, 403, 404, 422, 503)
}

NewsletterState = Literal["received", "analysed", "indexed", "invalid"]
MAX_ID = 2**63 - 1

health = APIRouter(tags=["health"])
router = APIRouter(prefix="/api", tags=["api"], responses=_REFUSALS)

Limit = Annotated[int, Query(ge=1, le=500)]
Before = Annotated[int | None, Query(ge=1, le=MAX_ID, description="only ids below this one")]


@health.get("/healthz")
async def is_alive() -> models.Health:
    """The process answers."""
    return models.Health(status="alive")


@health.get("/readyz", responses={503: {"model": models.Readiness}})
async def is_ready(request: Request, response: Response) -> models.Readiness:
    """PostgreSQL and Redis answer too; 503 with which one doesn't."""
    services = state.of_request(request).services
    database, redis = await asyncio.gather(
        _probe(services.console.ping, services.read_timeout_seconds),
        _probe(lambda: services.engine.broker.read_depth(DEAD_LETTERS), services.read_timeout_seconds),
    )
    ready = database == redis == "up"
    response.status_code = 200 if ready else 503
    return models.Readiness(status="ready" if ready else "unavailable", database=database, redis=redis)


async def _probe(ask: Callable[[], Awaitable[object]], timeout_seconds: float) -> str:
    try:
        await read_within(ask(), timeout_seconds)
    except UNAVAILABLE:
        return "down"
    return "up"


@router.get("/status")
async def show_status(request: Request) -> models.StatusReport:
    """Queues (ledger and Redis side by side), workers, providers, mailboxes, totals."""
    return report_status(await state.of_request(request).feed.read_latest())


@router.get("/jobs")
async def list_jobs(
    request: Request,
    queue: str | None = None,
    state_: Annotated[JobState | None, Query(alias="state")] = None,
    key: str | None = None,
    before: Before = None,
    limit: Limit = 50,
) -> list[models.JobReport]:
    """Ledger rows, the latest first."""
    reads = state.of_request(request).services.console
    rows = await _read(request, reads.list_jobs(queue, state_, key, before, limit))
    return [models.JobReport.model_validate(row) for row in rows]


@router.get("/jobs/{job_id}")
async def show_job(request: Request, job_id: Annotated[int, Path(ge=1, le=MAX_ID)]) -> models.JobDetailReport:
    """One ledger row with its failed attempts and what operators did to it."""
    job = await _read(request, state.of_request(request).services.console.show_job(job_id))
    if job is None:
        raise HTTPException(404, f"There is no job {job_id}.")
    return models.JobDetailReport.model_validate(job)


@router.post("/jobs/cancel")
async def cancel_jobs(request: Request, act: models.Act) -> models.Acted:
    """Cancel live jobs; a running one is asked to stop."""
    own = state.of_request(request)
    states = await own.act(own.services.engine.cancel(act.job_ids, Operator(visitor_of(request).actor, act.reason)))
    return models.Acted(job_ids=[id for id, now in states.items() if now in (JobState.CANCELLED, JobState.RUNNING)])


@router.get("/dead")
async def list_dead(
    request: Request,
    queue: str | None = None,
    died: datetime | None = None,
    before: Before = None,
    limit: Limit = 50,
) -> list[models.DeadReport]:
    """Dead letters, the latest first; `died` and `before` together go on where a page ended."""
    place = (died, before) if died is not None and before is not None else None
    rows = await _read(request, state.of_request(request).services.console.list_dead(queue, place, limit))
    return [models.DeadReport.model_validate(row) for row in rows]


@router.post("/dead/redrive")
async def redrive_dead(request: Request, act: models.Act) -> models.Acted:
    """Run dead jobs again under the same ids."""
    own = state.of_request(request)
    done = await own.act(own.services.engine.redrive(act.job_ids, Operator(visitor_of(request).actor, act.reason)))
    own.feed.nudge()
    return models.Acted(job_ids=[job.job_id for job in done])


@router.post("/dead/discard")
async def discard_dead(request: Request, act: models.Act) -> models.Acted:
    """Give dead jobs up: they become cancelled."""
    own = state.of_request(request)
    done = await own.act(own.services.engine.discard(act.job_ids, Operator(visitor_of(request).actor, act.reason)))
    own.feed.nudge()
    return models.Acted(job_ids=list(done))


@router.get("/newsletters")
async def list_newsletters(
    request: Request,
    state_: Annotated[NewsletterState | None, Query(alias="state")] = None,
    mailbox_id: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None,
    q: Annotated[str | None, Query(max_length=200)] = None,
    before: Before = None,
    limit: Limit = 50,
) -> list[models.NewsletterReport]:
    """Newsletters, the latest first, with what each stage did."""
    reads = state.of_request(request).services.console
    rows = await _read(request, reads.list_newsletters(state_, mailbox_id, q, before, limit))
    return [models.NewsletterReport.model_validate(row) for row in rows]


@router.get("/search")
async def search(
    request: Request,
    q: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0, le=10_000)] = 0,
) -> models.SearchReport:
    """What a reader would find, over all owners."""
    found = await _read(request, state.of_request(request).services.search.search(q, None, limit, offset))
    return models.SearchReport.model_validate(found)


async def _read(request: Request, reading: Awaitable[_T]) -> _T:
    return await read_within(reading, state.of_request(request).services.read_timeout_seconds)
