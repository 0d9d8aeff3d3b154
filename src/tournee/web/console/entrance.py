"""The way in: the start link, and the switch of language."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from tournee.web import state
from tournee.web.console.language import LANGUAGES
from tournee.web.console.render import LANGUAGE_COOKIE
from tournee.web.refusals import Refusal, refuse
from tournee.web.sessions import SESSION_DAYS, cookie_name

router = APIRouter(include_in_schema=False)

_YEAR_SECONDS = 365 * 24 * 3600


@router.get("/enter")
async def enter(request: Request, token: str = "") -> Response:
    """Trade the token of the start link for a session cookie; the address bar doesn't keep the token."""
    sessions = state.of_request(request).sessions
    if not sessions.is_token(token):
        return refuse(request, Refusal.TOKEN)
    # Whoever is in already stays who they are: a second tab must not make the first one's forms worthless.
    known = sessions.read_session(request.cookies.get(cookie_name(request.url.port)))
    _, cookie = sessions.open_session(known)
    response = RedirectResponse("/", 303)
    response.set_cookie(
        cookie_name(request.url.port),
        cookie,
        max_age=SESSION_DAYS * 24 * 3600,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


@router.get("/language/{code}")
async def switch_language(code: str, next: str = "/") -> Response:
    """Remember a language and go back. Only an address of this site is gone to."""
    local = next.startswith("/") and not next.startswith("//") and "\\" not in next and next.isprintable()
    response = RedirectResponse(next if local else "/", 303)
    if code in LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, code, max_age=_YEAR_SECONDS, samesite="strict")
    return response
