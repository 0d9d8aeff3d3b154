"""Which errors are the same fault: by route, class of the exception and the place in the code.

Pure reading of what it is given; runs in the alert thread, never where an error is recorded. A message of an
exception is no part of it: it differs from case to case, and may hold what must not leave.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePath
from types import TracebackType
from typing import Any

from tournee.kit.logs.redaction import redact_name

MAX_FRAMES = 500
_VARIABLE = re.compile(r"[0-9]|[^A-Za-z/_.{}-]|.{25,}")


def make_fingerprint(*parts: str) -> str:
    """A short name that stays the same for the same parts."""
    return hashlib.blake2b("\n".join(parts).encode("utf-8", "replace"), digest_size=6).hexdigest()


def name_route(method: Any, route: Any, endpoint: Any, path: str) -> str:
    """`GET /items/{id}`: the route's own template, else the endpoint's name, else the path without its ids."""
    template = getattr(route, "path_format", None) or getattr(route, "path", None)
    if isinstance(template, str) and template:
        return f"{method} {redact_name(template)}"
    if endpoint is not None and path == "":
        return f"{method} {redact_name(getattr(endpoint, '__qualname__', type(endpoint).__qualname__))}"
    return f"{method} {generalise_path(path)}"


def generalise_path(path: str) -> str:
    """A path whose parts that look like ids or tokens are left out; the same for all requests to one route."""
    parts = path.partition("?")[0].split("/")[:8]
    return redact_name("/".join("{…}" if _VARIABLE.search(part) else part for part in parts) or "/")


def name_error(error: BaseException | type[BaseException] | str) -> str:
    """The class's name, with its package where that is not Python's own."""
    if isinstance(error, str):
        return redact_name(error)
    kind = error if isinstance(error, type) else type(error)
    package = kind.__module__.partition(".")[0]
    return kind.__qualname__ if package in ("builtins", "__main__") else f"{package}.{kind.__qualname__}"


def name_place(trace: TracebackType | None) -> str:
    """`file.py:123 function` where the exception was raised; empty if nobody knows."""
    if trace is None:
        return ""
    for _ in range(MAX_FRAMES):
        if trace.tb_next is None:
            break
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    return f"{PurePath(code.co_filename).name}:{trace.tb_lineno} {code.co_name}"
