"""What an operator can do: redrive, discard, cancel, pause, resume.

Keeps: each act is audited with who and why, is answered in bounded time, and may be repeated without harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Path, Request
from fastapi.responses import Response
from pydantic import Field

from tournee.engine.client import JobState, Operator
from tournee.web import state
from tournee.web.access import visitor_of
from tournee.web.console.answers import answer_act

router = APIRouter(include_in_schema=False)

RowId = Annotated[int, Path(ge=1, le=2**63 - 1)]
FormId = Annotated[int, Field(ge=1, le=2**63 - 1)]
JobIds = Annotated[list[FormId], Form(alias="job_id", min_length=1, max_length=1000)]
Reason = Annotated[str, Form(max_length=500)]


@router.post("/dead/redrive")
async def redrive_dead(request: Request, job_ids: JobIds, reason: Reason = "") -> Response:
    """Run dead letters again, under the same ids."""
    own = state.of_request(request)
    jobs = await own.act(own.services.engine.redrive(job_ids, Operator(visitor_of(request).actor, reason)))
    done = [job.job_id for job in jobs]
    return _answer(request, done, "act.redriven")


@router.post("/dead/discard")
async def discard_dead(request: Request, job_ids: JobIds, reason: Reason = "") -> Response:
    """Give dead letters up: they become cancelled."""
    own = state.of_request(request)
    done = await own.act(own.services.engine.discard(job_ids, Operator(visitor_of(request).actor, reason)))
    return _answer(request, done, "act.discarded")


@router.post("/jobs/{job_id}/cancel")
async def cancel_job(request: Request, job_id: RowId, reason: Reason = "") -> Response:
    """Cancel a live job; a running one is asked to stop."""
    own = state.of_request(request)
    states = await own.act(own.services.engine.cancel([job_id], Operator(visitor_of(request).actor, reason)))
    done = [id for id, now in states.items() if now in (JobState.CANCELLED, JobState.RUNNING)]
    return _answer(request, done, "act.cancelled", back=f"/jobs/{job_id}")


@router.post("/queues/{queue}/{verb}")
async def switch_queue(request: Request, queue: str, verb: str, reason: Reason = "") -> Response:
    """Pause or resume one queue."""
    own = state.of_request(request)
    if verb not in ("pause", "resume"):
        raise HTTPException(404)
    switch = own.services.engine.pause if verb == "pause" else own.services.engine.resume
    if not await own.act(switch(queue, Operator(visitor_of(request).actor, reason))):
        raise HTTPException(404)
    own.feed.nudge()
    return answer_act(request, f"act.{verb}d", back="/", queue=queue)


def _answer(request: Request, done: Sequence[int], key: str, back: str = "/dead") -> Response:
    state.of_request(request).feed.nudge()
    if not done:
        return answer_act(request, "act.nothing", back=back, tone="warn")
    removed = [f"{part}-{job_id}" for job_id in done for part in ("dead", "bulk")] if back == "/dead" else []
    return answer_act(request, key, back=back, removed=removed, n=len(done))
