"""The metrics of the system and of this process, for Prometheus. Guarded like everything else, or by its own token."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request, Response

from tournee.web import state
from tournee.web.access import METRICS_PATH

router = APIRouter()


@router.get(METRICS_PATH, include_in_schema=False)
async def show_metrics(request: Request) -> Response:
    """In the format that the scraper prefers."""
    door = state.of_request(request).services.metrics
    if door is None:
        raise HTTPException(404, "This process has no metrics.")
    body, content_type = await door.render(request.headers.get("accept", ""))
    return Response(body, headers={"content-type": content_type})
