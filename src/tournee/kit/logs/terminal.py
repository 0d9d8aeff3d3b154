"""The form of lines for a person at a terminal: what happened, in one line.

A traceback becomes its last line: the files have the rest. The same thing is told once in a while only, since an outage
makes every service complain. What a line holds commands no terminal: signs that are not shown are written as escapes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

import structlog

REPEAT_SECONDS = 10.0
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
UNSEEN = frozenset({"exception", "stack", "logger", "pid", "trace", "request"})


class TerminalForm:
    """Makes a line for a person, or an empty one for what was told a moment ago."""

    def __init__(self, *, colors: bool) -> None:
        self._render = structlog.dev.ConsoleRenderer(pad_event_to=0, colors=colors)
        self._told: dict[str, float] = {}

    def __call__(self, event: Mapping[str, Any]) -> str:
        if self._is_repeat(str(event.get("event"))):
            return ""
        shown = {
            name: escape_controls(value) if isinstance(value, str) else value for name, value in shorten(event).items()
        }
        return str(self._render(None, "", shown))

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


def escape_controls(text: str) -> str:
    """As Python would write them: no line within a line, no command to a terminal."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
