"""The console's pages. Each reads under a time limit, so that a page says what is down instead of hanging."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, HTTPException, Path, Query, Request
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup

from tournee.engine.core.job import JobState
from tournee.pipeline.ports import MessageClass
from tournee.pipeline.store.console_job_rows import JobDetail
from tournee.web import state
from tournee.web.access import visitor_of
from tournee.web.console import stages
from tournee.web.console.causes import Cause, list_causes
from tournee.web.console.overview import PARTS, personalise
from tournee.web.console.render import environment, localiser_of, render_page
from tournee.web.headers import FRAME_HEADERS
from tournee.web.patience import read_within
from tournee.web.snapshot import QueueLine, is_alive

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_T = TypeVar("_T")
_PAGE = 50
_HITS = 20
MAX_ID = 2**63 - 1
NEWSLETTER_STATES = ("received", "analysed", "indexed", "invalid")

environment.globals["list_steps"] = stages.list_steps
environment.globals["waited"] = stages.waited
environment.globals["ran"] = stages.ran
environment.filters["is_alive"] = is_alive

Text = Annotated[str, Query(max_length=200)]
Before = Annotated[int | None, Query(ge=1, le=MAX_ID)]
RowId = Annotated[int, Path(ge=1, le=MAX_ID)]


@router.get("/")
async def show_overview(request: Request) -> Response:
    """The first page."""
    own = state.of_request(request)
    snapshot = await own.feed.read_latest()
    rendered = own.overview.render(snapshot, localiser_of(request), demo=own.recovery is not None)
    token = visitor_of(request).csrf_token
    parts = {name: Markup(personalise(rendered[name].html, token)) for name in PARTS}  # noqa: S704 (our own templates)
    return render_page(request, "overview.html", {"snapshot": snapshot, "parts": parts})


@router.get("/newsletters")
async def list_newsletters(
    request: Request, chosen: Annotated[str, Query(alias="state")] = "", q: Text = "", before: Before = None
) -> Response:
    """Newsletters, by state and by words in subject or sender."""
    reads = state.of_request(request).services.console
    rows = await _read(request, reads.list_newsletters(chosen or None, None, q.strip() or None, before, _PAGE + 1))
    return await _show_list(request, "newsletters.html", rows, {"chosen": chosen, "q": q, "states": NEWSLETTER_STATES})


@router.get("/newsletters/{message_id}")
@router.get("/messages/{message_id}")
async def show_message(request: Request, message_id: RowId) -> Response:
    """One message: verdict, stages with their jobs, analysis, reasons, text."""
    own = state.of_request(request)
    trace = await _read(request, own.services.console.show_trace(message_id))
    if trace is None:
        raise HTTPException(404)
    snapshot = await own.feed.read_latest()
    verdict = stages.judge(trace, _list_blocked(snapshot.queues))
    held = next((job for job in trace.jobs if job.id == verdict.job_id), None)
    causes = await _explain(request, held) if held else ()
    context = {"trace": trace, "stages": stages.list_stages(trace), "verdict": verdict, "causes": causes}
    return await _show(request, "message.html", context)


@router.get("/newsletters/{message_id}/html")
async def show_html(request: Request, message_id: RowId) -> Response:
    """A newsletter's sanitised HTML, for the sandboxed frame only: no scripts, nothing loaded from outside."""
    html = await _read(request, state.of_request(request).services.console.read_html(message_id))
    if html is None:
        raise HTTPException(404)
    page = environment.get_template("frame.html").render({"html": html})
    return HTMLResponse(page, headers=dict(FRAME_HEADERS))


@router.get("/messages")
async def list_messages(
    request: Request, chosen: Annotated[str, Query(alias="class")] = "", q: Text = "", before: Before = None
) -> Response:
    """Everything that arrived, by class."""
    if chosen and chosen not in set(MessageClass):
        raise HTTPException(404)
    reads = state.of_request(request).services.console
    rows = await _read(request, reads.list_messages(chosen or None, q.strip() or None, before, _PAGE + 1))
    return await _show_list(request, "messages.html", rows, {"chosen": chosen, "q": q, "classes": list(MessageClass)})


@router.get("/jobs")
async def list_jobs(
    request: Request,
    queue: Text = "",
    chosen: Annotated[str, Query(alias="state")] = "",
    key: Text = "",
    before: Before = None,
) -> Response:
    """Ledger rows, by queue, state and key."""
    if chosen and chosen not in set(JobState):
        raise HTTPException(404)
    reads = state.of_request(request).services.console
    rows = await _read(request, reads.list_jobs(queue or None, chosen or None, key.strip() or None, before, _PAGE + 1))
    context = {"queue": queue, "chosen": chosen, "key": key, "states": list(JobState)}
    return await _show_list(request, "jobs.html", rows, context)


@router.get("/jobs/{job_id}")
async def show_job(request: Request, job_id: RowId) -> Response:
    """One ledger row with its attempts."""
    job = await _read(request, state.of_request(request).services.console.show_job(job_id))
    if job is None:
        raise HTTPException(404)
    snapshot = await state.of_request(request).feed.read_latest()
    context = {
        "job": job,
        "causes": await _explain(request, job),
        "limits": next((line.limits for line in snapshot.queues if line.ledger.queue == job.queue), None),
        "schedule": next((row for row in snapshot.schedules if job.key.startswith(f"{row.name}@")), None),
    }
    return await _show(request, "job.html", context)


@router.get("/dead")
async def list_dead(
    request: Request, queue: Text = "", died: datetime | None = None, before: Before = None
) -> Response:
    """Dead letters."""
    place = (died, before) if died is not None and before is not None else None
    reads = state.of_request(request).services.console
    rows = await _read(request, reads.list_dead(queue or None, place, _PAGE + 1))
    return await _show_list(request, "dead.html", rows, {"queue": queue})


@router.get("/search")
async def search(request: Request, q: Text = "", page: Annotated[int, Query(ge=1, le=500)] = 1) -> Response:
    """What a reader would find, over all owners."""
    index = state.of_request(request).services.search
    found = await _read(request, index.search(q.strip(), None, _HITS, (page - 1) * _HITS))
    return await _show(request, "search.html", {"found": found, "q": q, "page": page, "page_size": _HITS})


async def _show_list(request: Request, name: str, rows: list[Any], context: Mapping[str, Any]) -> Response:
    """A page of a list; one row more than shown was read, to know whether there is a next page."""
    shown, more = rows[:_PAGE], len(rows) > _PAGE
    next_url = None
    if more:
        place = {"before": shown[-1].id}
        if hasattr(shown[-1], "died_at"):
            place["died"] = shown[-1].died_at.isoformat()
        next_url = str(request.url.include_query_params(**place).replace(scheme="", netloc=""))
    return await _show(request, name, {**context, "rows": shown, "next_url": next_url})


async def _show(request: Request, name: str, context: Mapping[str, Any]) -> Response:
    snapshot = await state.of_request(request).feed.read_latest()
    return render_page(request, name, {**context, "snapshot": snapshot})


async def _explain(request: Request, job: JobDetail) -> Sequence[Cause]:
    """Why a job waits; nothing for one that doesn't."""
    if job.state not in ("pending", "queued"):
        return ()
    own = state.of_request(request)
    waiting = await _read(request, own.services.console.explain_waiting(job.id))
    if waiting is None:
        # It began, or ended, between the two looks.
        return ()
    snapshot = await own.feed.read_latest()
    return list_causes(job, waiting, redis_away=snapshot.redis_away_since is not None)


async def _read(request: Request, reading: Awaitable[_T]) -> _T:
    return await read_within(reading, state.of_request(request).services.read_timeout_seconds)


def _list_blocked(queues: Sequence[QueueLine]) -> dict[str, str]:
    """Queues that nothing leaves for now, with the reason's key."""
    blocked = {}
    for row in (line.ledger for line in queues):
        if row.paused:
            blocked[str(row.queue)] = "verdict.paused"
        elif row.breaker == "open":
            blocked[str(row.queue)] = "verdict.provider_away"
    return blocked
