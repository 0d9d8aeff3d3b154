"""The way to Bull Board: a streaming proxy under /board, behind the console's own door.

Only GET and HEAD pass. The board's secret is added here and never reaches the browser; neither do the browser's
cookies reach the board. A board that isn't there gives a page that says why.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.background import BackgroundTask

from tournee.web import state
from tournee.web.console.render import render_page
from tournee.web.headers import BOARD_HEADERS
from tournee.web.ports import BoardPhase, BoardState

router = APIRouter(include_in_schema=False)

SECRET_HEADER = "x-tournee-board-secret"  # noqa: S105 (a header's name)
_FORWARDED = ("accept", "accept-encoding", "accept-language", "if-none-match", "if-modified-since", "range")
_RETURNED = frozenset(
    {"content-type", "content-length", "content-encoding", "etag", "last-modified", "accept-ranges", "content-range"}
)


@asynccontextmanager
async def open_client() -> AsyncIterator[httpx.AsyncClient]:
    """The client that speaks to the board; environment proxies don't apply to loopback."""
    limits = httpx.Limits(max_connections=20, max_keepalive_connections=5)
    async with httpx.AsyncClient(timeout=httpx.Timeout(10.0, connect=2.0), limits=limits, trust_env=False) as client:
        yield client


@router.get("/board/", include_in_schema=False)
async def redirect_to_board() -> RedirectResponse:
    """Bull Board knows its address without the slash only."""
    return RedirectResponse("/board", 308)


@router.api_route("/board", methods=["GET", "HEAD"])
@router.api_route("/board/{_:path}", methods=["GET", "HEAD"])
async def show_board(request: Request) -> Response:
    """Pass one request on, and stream the answer back."""
    own = state.of_request(request)
    where = own.services.board.read_state()
    if where.phase is not BoardPhase.READY or own.board_client is None:
        return _explain(request, where)
    target = httpx.URL(where.base_url).copy_with(
        raw_path=request.scope["raw_path"] + (b"?" + request.scope["query_string"]).rstrip(b"?")
    )
    headers = {name: request.headers[name] for name in _FORWARDED if name in request.headers}
    outgoing = own.board_client.build_request(request.method, target, headers={**headers, SECRET_HEADER: where.secret})
    try:
        incoming = await own.board_client.send(outgoing, stream=True)
    except httpx.HTTPError:
        return _explain(request, BoardState(BoardPhase.STARTING))
    kept = {name: value for name, value in incoming.headers.items() if name in _RETURNED}
    return StreamingResponse(
        incoming.aiter_raw(),
        incoming.status_code,
        headers={**kept, **BOARD_HEADERS},
        background=BackgroundTask(incoming.aclose),
    )


def _explain(request: Request, where: BoardState) -> Response:
    if request.url.path.startswith("/board/api"):
        return JSONResponse({"error": where.reason or f"The board is {where.phase}."}, 503)
    return render_page(request, "board.html", {"board": where}, status_code=503)
