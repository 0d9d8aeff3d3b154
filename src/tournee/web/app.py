"""The web application: puts rooms, door and shared state together from `WebServices`.

Owns the order of the layers: access first, then the routes; every failure answers one clear message, and an
outage of PostgreSQL or Redis is never a 500.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import structlog
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as StarletteHTTPException

from tournee.web import board, metrics, state
from tournee.web.access import AccessMiddleware
from tournee.web.api import routes as api_routes
from tournee.web.console import actions, demo, entrance, live, pages
from tournee.web.console.answers import answer_notice, wants_notice
from tournee.web.console.overview import OverviewRenderer
from tournee.web.console.render import localiser_of, render_page
from tournee.web.feed import Feed
from tournee.web.ports import UNAVAILABLE, WebServices
from tournee.web.recovery import RecoveryWatch
from tournee.web.refusals import wants_page
from tournee.web.sessions import Sessions
from tournee.web.snapshot import SnapshotReader

_STATIC = Path(__file__).parent / "console" / "static"
_log = structlog.get_logger(__name__)


def create_app(services: WebServices) -> FastAPI:
    """The application over these services. It starts nothing until the server runs its lifespan."""
    app = FastAPI(
        title="Tournée",
        version=services.version,
        summary="Queues, dead letters, newsletters and search of a newsletter reader's processing system.",
        openapi_url="/api/openapi.json",
        # The usual documentation pages load scripts from outside hosts.
        docs_url=None,
        redoc_url=None,
        lifespan=_run_lifespan,
    )
    sessions = Sessions(services.access_token)
    recovery = RecoveryWatch(services.engine, services.kill_redis) if services.kill_redis else None
    reader = SnapshotReader(services, lambda: recovery.latest if recovery else None)
    state.attach(
        app,
        state.WebState(
            services=services,
            sessions=sessions,
            feed=Feed(reader.read, services.snapshot_interval_seconds, services.max_streams),
            overview=OverviewRenderer(),
            recovery=recovery,
        ),
    )
    app.add_middleware(AccessMiddleware, sessions=sessions, ports=services.ports, metrics_token=services.metrics_token)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    for router in (
        api_routes.health,
        metrics.router,
        api_routes.router,
        entrance.router,
        live.router,
        pages.router,
        actions.router,
    ):
        app.include_router(router)
    if recovery is not None:
        app.include_router(demo.router)
    if services.hooks is not None:
        app.include_router(services.hooks, prefix="/hooks")
    app.include_router(board.router)
    _handle_failures(app)
    return app


def close_streams(app: FastAPI) -> None:
    """End every open stream; for the server, before it waits for connections to close."""
    state.of(app).feed.close()


@asynccontextmanager
async def _run_lifespan(app: FastAPI) -> AsyncIterator[None]:
    own = state.of(app)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(own.feed.stop)
        if own.recovery is not None:
            stack.push_async_callback(own.recovery.stop)
        own.board_client = await stack.enter_async_context(board.open_client())
        yield


def _handle_failures(app: FastAPI) -> None:
    app.add_exception_handler(StarletteHTTPException, _answer_http_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(Exception, _answer_fault)
    for error in UNAVAILABLE:
        app.add_exception_handler(error, _answer_unavailable)


async def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    if not wants_page(request):
        return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)
    key = "error.not_found" if error.status_code == 404 else "error.refused"
    if wants_notice(request):
        text = localiser_of(request).text
        return answer_notice(request, f"{text(key)} {text('act.not_done')}", status_code=error.status_code)
    context = {"message": key, "detail": "" if error.status_code == 404 else error.detail, "status": error.status_code}
    return render_page(request, "error.html", context, status_code=error.status_code)


async def _answer_invalid(request: Request, error: Exception) -> Response:
    """One sentence that names the field, not a tree of errors."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    sentence = f"{where or first['loc'][0]}: {first['msg']}"
    return await _answer_http_error(request, HTTPException(422, sentence))


async def _answer_unavailable(request: Request, error: Exception) -> Response:
    _log.warning("web.unavailable", path=request.url.path, error=repr(error))
    if not wants_page(request):
        outcome = "it is not certain whether it was done; " if request.method == "POST" else ""
        error_text = f"PostgreSQL or Redis does not answer; {outcome}try again in a moment."
        return JSONResponse({"error": error_text}, 503, headers={"retry-after": "3"})
    if wants_notice(request):
        text = localiser_of(request).text("unavailable.act")
        return answer_notice(request, text, status_code=503, headers={"retry-after": "3"})
    # A page that was asked for is asked for again; an act is repeated by nobody but whoever wants it.
    context = {"acted": request.method == "POST"}
    return render_page(request, "unavailable.html", context, status_code=503, headers={"retry-after": "3"})


async def _answer_fault(request: Request, error: Exception) -> Response:
    _log.error("web.fault", path=request.url.path, exc_info=error)
    if not wants_page(request):
        return JSONResponse({"error": "This is a fault of ours; it is in the log."}, 500)
    if wants_notice(request):
        text = localiser_of(request).text
        return answer_notice(request, f"{text('error.fault')}. {text('act.unknown_done')}", status_code=500)
    return render_page(request, "error.html", {"message": "error.fault", "detail": "", "status": 500}, status_code=500)
