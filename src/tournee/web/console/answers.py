"""What a browser gets for an act: a short notice beside the page it is on, or, without scripts, the page again."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tournee.web.console.render import localiser_of, render_template


def answer_act(
    request: Request, key: str, *, back: str, removed: Sequence[str] = (), tone: str = "good", **values: object
) -> Response:
    """Say what was done. `removed` are ids of elements that the act made obsolete; `back` is where a browser
    without scripts goes."""
    if request.headers.get("hx-request") != "true":
        return RedirectResponse(back, 303)
    localiser = localiser_of(request)
    context = {"message": localiser.text(key, **values), "tone": tone, "removed": removed}
    return HTMLResponse(render_template("parts/notice.html", localiser, context))
