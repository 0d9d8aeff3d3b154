"""The demo's button that kills Redis. This route exists only where bootstrap handed over the means to do it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from tournee.web import state
from tournee.web.console.answers import answer_act

router = APIRouter(include_in_schema=False)


@router.post("/demo/kill-redis")
async def kill_redis(request: Request) -> Response:
    """FLUSHALL and a restart of Redis; the first page shows the way back."""
    own = state.of_request(request)
    assert own.recovery is not None, "the route exists in the demo only"
    await own.act(own.recovery.start())
    own.feed.nudge()
    return answer_act(request, "act.killed", back="/")
