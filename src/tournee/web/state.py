"""What the routes of one application share: services, sessions, feed. Attached once, read by every request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
from fastapi import FastAPI, Request

from tournee.web.feed import Feed
from tournee.web.ports import WebServices
from tournee.web.recovery import RecoveryWatch
from tournee.web.sessions import Sessions

if TYPE_CHECKING:
    from tournee.web.console.overview import OverviewRenderer


@dataclass
class WebState:
    """The shared things of one application."""

    services: WebServices
    sessions: Sessions
    feed: Feed
    overview: OverviewRenderer
    recovery: RecoveryWatch | None
    board_client: httpx.AsyncClient | None = None
    """Set while the application runs."""


def attach(app: FastAPI, state: WebState) -> None:
    """Once, when the application is made."""
    app.state.web = state


def of(app: FastAPI) -> WebState:
    """The shared things of an application."""
    state: WebState = app.state.web
    return state


def of_request(request: Request) -> WebState:
    """The shared things of a request's application."""
    state: WebState = request.app.state.web
    return state
