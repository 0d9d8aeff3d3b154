"""The form of lines for a person at a terminal: what happened, in one line.

A traceback becomes its last line: the files have the rest. The same thing is told once in a while only, since an outage
makes every service complain.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import structlog

REPEAT_SECONDS = 10.0
UNSEEN = frozenset({"exception", "stack", "logger", "pid", "trace", "request"})


class TerminalForm:
    """Makes a line for a person, or an empty one for what was told a moment ago."""

    def __init__(self, *, colors: bool) -> None:
        self._render = structlog.dev.ConsoleRenderer(pad_event_to=0, colors=colors)
        self._told: dict[str, float] = {}

    def __call__(self, event: Mapping[str, Any]) -> str:
        if self._is_repeat(str(event.get("event"))):
            return ""
        return str(self._render(None, "", shorten(event)))

    def _is_repeat(self, event: str) -> bool:
        now = time.monotonic()
        self._told = {name: at for name, at in self._told.items() if now - at < REPEAT_SECONDS}
        if event in self._told:
            return True
        self._told[event] = now
        return False


def shorten(event: Mapping[str, Any]) -> dict[str, Any]:
    """Without what a terminal can't show well; an exception's last line becomes `error`."""
    shown = {name: value for name, value in event.items() if name not in UNSEEN}
    if "exception" in event:
        shown.setdefault("error", (str(event["exception"]).strip().splitlines() or [""])[-1])
    return shown
