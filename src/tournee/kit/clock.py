"""The clock: what time it is, and how much has passed, behind one port so that a test can move it.

Refuses to sleep: whoever waits does so on its event loop.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Two faces of one time: `monotonic` for distances, in seconds; `now` for people, in UTC."""

    def monotonic(self) -> float: ...

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's own."""

    monotonic = staticmethod(time.monotonic)

    def now(self) -> datetime:
        return datetime.now(UTC)


SYSTEM_CLOCK: Clock = SystemClock()
