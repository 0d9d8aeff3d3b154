"""The spans that requests and calls to the outside open, and what they cost where nobody traces: nothing.

Owns the port that middleware and wrapped providers use. Imports nothing of OpenTelemetry.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext


class RequestSpan:
    """One request under way."""

    def end_request(self, route: str, status: int) -> None:
        """What it turned out to be."""


class Spans:
    """Opens spans; this one opens none."""

    def open_request(self, method: str, traceparent: str | None) -> AbstractContextManager[RequestSpan]:
        """A request that came in, in the trace that its sender names."""
        return _NO_REQUEST

    def open_call(self, provider: str, call: str) -> AbstractContextManager[None]:
        """A call to the outside, within whatever is being done."""
        return _NO_CALL


_NO_REQUEST = nullcontext(RequestSpan())
_NO_CALL = nullcontext()
NO_SPANS = Spans()
"""Where nobody traces."""
