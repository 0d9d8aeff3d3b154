"""A wrong wall clock for one process.

There is no libfaketime on every machine, so what Python code reads is replaced: `time.time`, `time.time_ns` and the
class `datetime` wherever a module of ours has imported it. The monotonic clock is left alone, as a wrong clock leaves
it alone.
"""

from __future__ import annotations

import datetime as dt
import sys
import time
from datetime import datetime, timedelta, tzinfo
from typing import Any

_true_time, _true_time_ns = time.time, time.time_ns
_offset = {"seconds": 0.0}


class SkewedDatetime(datetime):
    """Says the wrong time."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return datetime.now(tz) + timedelta(seconds=_offset["seconds"])


def install_clock() -> None:
    """Make this process' clock settable. Call it after all imports."""
    setattr(time, "time", lambda: _true_time() + _offset["seconds"])  # noqa: B010
    setattr(time, "time_ns", lambda: _true_time_ns() + int(_offset["seconds"] * 1e9))  # noqa: B010
    for name, module in list(sys.modules.items()):
        if name.startswith("tournee.engine") and getattr(module, "datetime", None) is dt.datetime:
            setattr(module, "datetime", SkewedDatetime)  # noqa: B010


def read_true_time() -> float:
    """What `time.time` would say."""
    return _true_time()


def skew_clock(seconds: float) -> None:
    """From now on the clock is wrong by so much; 0: right again."""
    _offset["seconds"] = seconds
