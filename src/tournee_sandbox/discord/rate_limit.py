"""Discord's rate limit of a webhook: five requests in two seconds, told in the headers of every answer.

Clients are meant to read the headers and not to know the numbers, which are options here. A window opens with its first
request.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How many requests a window takes, and how long it is."""

    requests: int = 5
    seconds: float = 2.0


@dataclass(slots=True)
class _Window:
    ends_at: float
    used: int = 0


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a request is let through, and what its answer tells. `reset_after` is in seconds."""

    admitted: bool
    reset_after: float
    headers: Mapping[str, str]


class RateLimiter:
    """Counts the requests of each webhook. `clock` answers seconds, of any origin."""

    def __init__(self, limit: RateLimit, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._windows: dict[str, _Window] = {}
        self._bucket = hashlib.sha256(b"execute_webhook").hexdigest()[:32]

    def admit(self, webhook_id: str) -> Admission:
        """Count one request."""
        now = self._clock()
        window = self._windows.get(webhook_id)
        if window is None or window.ends_at <= now:
            window = self._windows[webhook_id] = _Window(now + self._limit.seconds)
        admitted = window.used < self._limit.requests
        window.used += admitted
        return Admission(admitted, window.ends_at - now, self._describe(window, window.ends_at - now))

    def _describe(self, window: _Window, reset_after: float) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self._limit.requests),
            "X-RateLimit-Remaining": str(self._limit.requests - window.used),
            "X-RateLimit-Reset": f"{time.time() + reset_after:.3f}",
            "X-RateLimit-Reset-After": f"{math.ceil(reset_after * 1000) / 1000:.3f}",
            "X-RateLimit-Bucket": self._bucket,
        }
