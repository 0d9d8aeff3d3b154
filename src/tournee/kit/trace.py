"""W3C trace context: the `traceparent` that ties a newsletter's jobs to one trace.

Owns making, reading and continuing traceparents. A malformed parent starts a new trace instead of spoiling a job.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

_TRACEPARENT = re.compile(r"00-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})")
_NO_TRACE = "0" * 32
_NO_SPAN = "0" * 16


class TraceParts(NamedTuple):
    """A traceparent, taken apart; each part in hex digits."""

    trace_id: str
    span_id: str
    flags: str


BeginTrace = Callable[[str], AbstractContextManager[str]]
"""Opens the trace of something that begins within a queue's work; yields its traceparent."""


@contextmanager
def begin_untraced(_queue: str) -> Iterator[str]:
    """A trace that nobody records: its id ties the jobs together nevertheless."""
    yield new_traceparent()


def parse_traceparent(traceparent: str | None) -> TraceParts | None:
    """Its parts, or None where there is none, or no valid one."""
    match = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if match is None or match["trace"] == _NO_TRACE or match["span"] == _NO_SPAN:
        return None
    return TraceParts(match["trace"], match["span"], match["flags"])


def new_traceparent(parent: str | None = None) -> str:
    """A traceparent with a fresh span: within `parent`'s trace, or of a new, sampled trace if there is none."""
    parts = parse_traceparent(parent)
    if parts is None:
        return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    return f"00-{parts.trace_id}-{secrets.token_hex(8)}-{parts.flags}"


def trace_id_of(traceparent: str | None) -> str | None:
    """The trace id (32 hex digits), or None where there is no traceparent."""
    match = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    return match["trace"] if match else None
