"""What the console shows of waiting, as typed rows: the limits of a queue, and all that may keep one job from starting.

Owns no rule: `tournee.web.console.causes` says what follows. Times are aware and in UTC; periods are in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one queue; None: no such limit. `rate_left`: how many dispatches its rate leaves now."""

    queue: str
    concurrency: int | None
    per_tenant_concurrency: int | None
    rate_count: int | None
    rate_seconds: float | None
    per_tenant_rate_count: int | None
    per_tenant_rate_seconds: float | None
    rate_left: float | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """One job that is pending or queued, with what it may wait for.

    `places`: how many jobs of its queue the living workers run at once. A rate's `left` is None where it has its whole
    limit left, or where there is no such rate.
    """

    queue: str
    state: str
    run_at: datetime
    due: bool
    tenant: str
    suspect: bool
    paused: bool
    provider: str | None
    breaker: str
    reason: str | None
    retry_at: datetime | None
    places: int
    in_flight: int
    tenant_in_flight: int
    ahead: int
    concurrency: int | None
    per_tenant_concurrency: int | None
    rate_count: int | None
    rate_seconds: float | None
    per_tenant_rate_count: int | None
    per_tenant_rate_seconds: float | None
    rate_left: float | None
    per_tenant_rate_left: float | None
