"""What a browser gets for an act: a short notice beside the page it is on, or, without scripts, a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tournee.web.console.render import localiser_of, render_template


def answer_act(
    request: Request, key: str, *, back: str, removed: Sequence[str] = (), tone: str = "good", **values: object
) -> Response:
    """Say what was done. `removed` are ids of elements that the act made obsolete; `back` is where a browser
    without scripts goes."""
    if not wants_notice(request):
        return RedirectResponse(back, 303)
    text = localiser_of(request).text(key, **values)
    return answer_notice(request, text, tone=tone, removed=removed)


def wants_notice(request: Request) -> bool:
    """Was it sent by a script of ours, which shows a notice, so that a whole page would be of no use?"""
    return request.headers.get("hx-request") == "true" and request.method == "POST"


def answer_notice(
    request: Request,
    text: str,
    *,
    tone: str = "bad",
    removed: Sequence[str] = (),
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """One sentence as a notice."""
    context = {"message": text, "tone": tone, "removed": removed}
    html = render_template("parts/notice.html", localiser_of(request), context)
    return HTMLResponse(html, status_code, headers=dict(headers or {}))
