"""The event streams that keep pages live.

One generator per browser, all fed by the one `Feed`; each sends only the parts that changed. A stream ends when the
browser goes, when it doesn't read for a while, and at once when the server goes down.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from fastapi import APIRouter, HTTPException, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from tournee.web import state
from tournee.web.access import visitor_of
from tournee.web.console.language import Localiser
from tournee.web.console.overview import CHROME, PARTS, personalise
from tournee.web.console.render import localiser_of

router = APIRouter(include_in_schema=False)

_PING_SECONDS = 15
_SEND_TIMEOUT_SECONDS = 10


@router.get("/events/overview")
async def stream_overview(request: Request) -> EventSourceResponse:
    """The first page, live."""
    return _open_stream(request, PARTS)


@router.get("/events/chrome")
async def stream_chrome(request: Request) -> EventSourceResponse:
    """What every other page shows live: outages and the count of dead letters."""
    return _open_stream(request, CHROME)


def _open_stream(request: Request, parts: Sequence[str]) -> EventSourceResponse:
    own = state.of_request(request)
    if own.feed.is_full:
        raise HTTPException(503, "Too many live pages are open, or the server is going down.", {"retry-after": "5"})
    events = _stream_parts(own, parts, localiser_of(request), visitor_of(request).csrf_token)
    return EventSourceResponse(events, ping=_PING_SECONDS, send_timeout=_SEND_TIMEOUT_SECONDS, sep="\n")


async def _stream_parts(
    own: state.WebState, parts: Sequence[str], localiser: Localiser, csrf_token: str
) -> AsyncIterator[ServerSentEvent]:
    sent: dict[str, bytes] = {}
    async for snapshot in own.feed.watch():
        rendered = own.overview.render(snapshot, localiser, demo=own.recovery is not None)
        changed = [name for name in parts if sent.get(name) != rendered[name].digest]
        sent |= {name: rendered[name].digest for name in changed}
        if changed:
            yield ServerSentEvent(
                "".join(_wrap(name, personalise(rendered[name].html, csrf_token)) for name in changed)
            )


def _wrap(name: str, html: str) -> str:
    """A message that merges one part into the page and leaves focus, scrolling and open details alone."""
    return f'<hx-partial hx-target="#part-{name}" hx-swap="innerMorph">{html}</hx-partial>'
