"""Templates: one environment, autoescaping, strict about names that don't exist.

Owns what every page gets: language, time zone, visitor, the health of the two stores. Nothing that came by mail is
ever marked safe here; the one place that shows a newsletter's HTML is its sandboxed frame.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from tournee.web.console.language import LANGUAGES, Localiser, choose_language, find_zone

LANGUAGE_COOKIE = "tournee_language"
ZONE_COOKIE = "tournee_zone"
_FOLDER = Path(__file__).parent

environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


@lru_cache(maxsize=32)
def static_url(name: str) -> str:
    """The address of a static file, which changes with its content."""
    digest = hashlib.sha256((_FOLDER / "static" / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def mark_matches(snippet: str) -> Markup:
    """A search snippet with its matches (between U+E000 and U+E001) marked; everything else escaped."""
    escaped = str(Markup.escape(snippet))
    opened = escaped.count("\ue000") == escaped.count("\ue001")
    start, end = ("<mark>", "</mark>") if opened else ("", "")
    return Markup(escaped.replace("\ue000", start).replace("\ue001", end))  # noqa: S704 (escaped above)


environment.globals["static_url"] = static_url
environment.globals["languages"] = LANGUAGES
environment.filters["mark_matches"] = mark_matches


def localiser_of(request: Request) -> Localiser:
    """Language and time zone of the one who asks."""
    web = getattr(request.app.state, "web", None)
    fixed = web.services.language if web else None
    language = choose_language(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language"), fixed)
    return Localiser(language, find_zone(request.cookies.get(ZONE_COOKIE)))


def texts_for(localiser: Localiser) -> dict[str, Any]:
    """The names under which templates reach the localiser."""
    return {
        "t": localiser.text,
        "language": localiser.language,
        "zone": localiser.zone.key,
        "number": localiser.number,
        "seconds": localiser.seconds,
        "clock": localiser.clock,
        "moment": localiser.moment,
        "size": localiser.size,
        "say": localiser.say,
        "period": localiser.period,
    }


def render_template(name: str, localiser: Localiser, context: Mapping[str, Any]) -> str:
    """One template in one language."""
    return environment.get_template(name).render({**texts_for(localiser), **context})


def render_page(
    request: Request,
    name: str,
    context: Mapping[str, Any],
    *,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """A whole page. `snapshot` in the context, where there is one, feeds the banner and the badges."""
    services = request.app.state.web.services
    own = {
        "visitor": getattr(request.state, "visitor", None),
        "path": request.url.path,
        "demo": services.kill_redis is not None,
        "version": services.version,
        "fixed_language": services.language,
        "snapshot": None,
        "query": request.query_params,
    }
    html = render_template(name, localiser_of(request), {**own, **context})
    return HTMLResponse(html, status_code, headers=dict(headers or {}) | {"vary": "accept-language, cookie"})
