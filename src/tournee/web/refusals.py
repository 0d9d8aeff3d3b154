"""How a request is turned away: one clear sentence, as JSON for programs and as a page for people.

Refuses to say more to a stranger than how to come in.
"""

from __future__ import annotations

from enum import Enum

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tournee.web.console.answers import answer_notice, wants_notice
from tournee.web.console.render import localiser_of, render_page


class Refusal(Enum):
    """Why, as (status, key of the sentence, what a program is told)."""

    HOST = (421, "refused.host", "This server answers on 127.0.0.1 and localhost only, on its own port.")
    STRANGER = (403, "refused.stranger", "Open the link that was printed at start, or send its token as a bearer.")
    TOKEN = (403, "refused.token", "This is not the access token of the running process.")
    ORIGIN = (403, "refused.origin", "A change was asked for by another site; nothing was done.")
    CSRF = (403, "refused.csrf", "The CSRF token is missing or belongs to another session; nothing was done.")
    TOO_LARGE = (413, "refused.too_large", "The form is too large; nothing was done.")

    def __init__(self, status: int, key: str, sentence: str) -> None:
        self.status = status
        self.key = key
        self.sentence = sentence


def refuse(request: Request, refusal: Refusal) -> Response:
    """The answer to a request that is not let in."""
    if not wants_page(request):
        status = 401 if refusal is Refusal.STRANGER else refusal.status
        headers = {"www-authenticate": "Bearer"} if status == 401 else None
        return JSONResponse({"error": refusal.sentence}, status_code=status, headers=headers)
    if wants_notice(request):
        return answer_notice(request, _explain(request, refusal), status_code=refusal.status)
    return render_page(request, "refused.html", {"message": refusal.key}, status_code=refusal.status)


def _explain(request: Request, refusal: Refusal) -> str:
    """What somebody is told who is at work on a page: a stranger was none when that page was opened."""
    text = localiser_of(request).text
    if refusal is Refusal.STRANGER:
        return f"{text('act.not_done')} {text('live.over')}"
    return text(refusal.key)


def wants_page(request: Request) -> bool:
    """Does a person ask (a page), or a program (JSON)?"""
    path = request.url.path
    if path.startswith("/api/") or path in ("/healthz", "/readyz", "/metrics"):
        return False
    return "text/html" in request.headers.get("accept", "*/*") or path == "/enter"
