"""What the routes of one application share: services, sessions, feed. Attached once, read by every request."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import httpx
from fastapi import FastAPI, Request

from tournee.web.feed import Feed
from tournee.web.patience import read_within
from tournee.web.ports import WebServices
from tournee.web.recovery import RecoveryWatch
from tournee.web.sessions import Sessions

if TYPE_CHECKING:
    from tournee.web.console.overview import OverviewRenderer

_T = TypeVar("_T")


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

    async def act(self, acting: Awaitable[_T]) -> _T:
        """Wait for what changes something, but not for ever: then `TimeoutError`, and it may have been done or not.

        It is cancelled, so that what had not begun does not happen later, when nobody expects it any more.
        """
        return await read_within(acting, self.services.act_timeout_seconds)


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
