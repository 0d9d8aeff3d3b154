"""W3C trace context: the `traceparent` that ties a newsletter's jobs to one trace.

Owns making and continuing traceparents. A malformed parent starts a new trace instead of spoiling a job.
"""

from __future__ import annotations

import re
import secrets

_TRACEPARENT = re.compile(r"00-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})")
_NO_TRACE = "0" * 32
_NO_SPAN = "0" * 16


def new_traceparent(parent: str | None = None) -> str:
    """A traceparent with a fresh span: within `parent`'s trace, or of a new, sampled trace if there is none."""
    match = _TRACEPARENT.fullmatch(parent) if parent else None
    if match is None or match["trace"] == _NO_TRACE or match["span"] == _NO_SPAN:
        return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    return f"00-{match['trace']}-{secrets.token_hex(8)}-{match['flags']}"


def trace_id_of(traceparent: str | None) -> str | None:
    """The trace id (32 hex digits), or None where there is no valid traceparent."""
    match = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    return match["trace"] if match else None
