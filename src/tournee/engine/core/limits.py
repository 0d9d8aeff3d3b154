"""How much of a queue may be dispatched: limits that are declared, and the room that they and the window leave. Pure.

Owns the arithmetic of one fill. Keeps that no limit is exceeded by a place at the front, and that places at the front
are paid for by places at the back, so that what stands in Redis is overtaken only so often.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Rate:
    """So many dispatches in a period, as a token bucket: it holds `count` tokens, and as many flow in per period."""

    count: int
    period: timedelta

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"a rate of {self.count} lets nothing through; pause the queue instead")
        if self.period <= timedelta(0):
            raise ValueError("the period of a rate must be longer than nothing")


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """What holds for a queue over all processes; None: no limit.

    Concurrency counts rows that are queued or running. A rate counts dispatches, repeated ones too. A tenant is what
    the payload's `tenant()` says; jobs without one are together one tenant.
    """

    concurrency: int | None = None
    per_tenant_concurrency: int | None = None
    rate: Rate | None = None
    per_tenant_rate: Rate | None = None

    def __post_init__(self) -> None:
        for name, number in (
            ("concurrency", self.concurrency),
            ("per_tenant_concurrency", self.per_tenant_concurrency),
        ):
            if number is not None and number < 1:
                raise ValueError(f"{name} of {number} lets nothing through; pause the queue instead")


NO_LIMITS = QueueLimits()


@dataclass(frozen=True, slots=True)
class Occupancy:
    """What a queue holds at the moment of a fill, read under the fill's lock."""

    in_flight: int
    tenants: int
    """How many tenants have something in flight."""
    counted: int
    """What the window's limit is compared with: `in_flight`, or all of a half-open provider's queues."""
    front_debt: int
    """Places at the front that were given and not yet paid for."""
    concurrency: int | None = None
    """The queue's concurrency limit."""
    tokens: float | None = None
    """What the queue's rate leaves now; None: it has none."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one fill may dispatch."""

    places: int
    """How many in all, save those at the front that the reserve allows beyond."""
    front: int
    """How many may go to the front."""
    newcomers: bool
    """Whether a tenant with nothing in flight may go there."""

    @property
    def is_empty(self) -> bool:
        return self.places <= 0 and self.front <= 0


def find_allowance(limit: int, reserve: int, seen: Occupancy) -> Allowance:
    """The room that a window of `limit` and the queue's own limits leave; `reserve` places at the front beyond."""
    left = limit - seen.counted
    # A window that shrank below what it holds, because a worker died, still lets pass what that worker left.
    beyond = max(0, left) + reserve
    strict = _find_strict_room(seen)
    credit = reserve - seen.front_debt if seen.in_flight else reserve
    return Allowance(
        places=max(0, min(left, strict)),
        front=max(0, min(beyond, strict, credit)),
        newcomers=reserve > 0 and is_crowded(limit, seen),
    )


def is_crowded(limit: int, seen: Occupancy) -> bool:
    """Whether few tenants hold a window that is not nearly empty: then one that has nothing in it waits for others'
    second jobs, and may overtake them.
    """
    return seen.in_flight * 4 >= limit and seen.in_flight >= 2 * seen.tenants


def pay_front_debt(reserve: int, seen: Occupancy, front: int, back: int) -> int:
    """The debt after a fill: each place at the front adds to it, each at the back pays for one.

    So at most every second dispatch overtakes, once the reserve is used up: what stands at the back of Redis moves at
    half the pace of the queue or better, whatever is urgent. With nothing in flight nobody was overtaken.
    """
    debt = seen.front_debt if seen.in_flight else 0
    return min(max(0, debt + front - back), reserve)


def _find_strict_room(seen: Occupancy) -> int:
    room = sys.maxsize if seen.concurrency is None else seen.concurrency - seen.in_flight
    return room if seen.tokens is None else min(room, math.floor(seen.tokens))
