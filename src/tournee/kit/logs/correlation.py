"""What a line belongs to: a request, a job, a trace. Bound once, on every line logged inside.

One context variable for all of it, because a worker binds it for each of thousands of jobs a second. What libraries
bind through structlog's own context variables is on the lines as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_NOTHING: Mapping[str, object] = {}
_bound: ContextVar[Mapping[str, object]] = ContextVar("tournee_correlation", default=_NOTHING)


@contextmanager
def correlate(fields: Mapping[str, object]) -> Iterator[None]:
    """Add these fields to every line that is logged inside, by this task and those it starts."""
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


def bind_to_task(fields: Mapping[str, object]) -> None:
    """Like `correlate`, to the end of the running task: for what is logged after an exception has passed."""
    _bound.set({**_bound.get(), **fields})


def read_correlation() -> Mapping[str, object]:
    """What is bound here and now. Not to be changed."""
    return _bound.get()
