"""The records of filling a queue's window: what was declared of the queue, what the relay knows, asks and gets.

Owns their shape, and refuses to know where they are stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tournee.engine.core.job import Dispatchable, QueueName
from tournee.engine.core.limits import NO_LIMITS, QueueLimits


@dataclass(frozen=True, slots=True)
class QueueDeclaration:
    """A queue to be known to the ledger."""

    name: QueueName
    priority: str = "medium"
    provider: str | None = None
    max_attempts: int | None = None
    """Attempts in all for new jobs of this queue; None: as their payload type says."""
    limits: QueueLimits = NO_LIMITS


@dataclass(frozen=True, slots=True)
class Gate:
    """What the relay must know of a queue before it fills it."""

    paused: bool
    provider: str | None
    breaker: str
    breaker_due: bool
    """An open breaker whose time has come: half-open it."""
    closed_for_seconds: float | None
    """How long a breaker that was open is closed again; None: it never opened, or is not closed."""
    epoch: int
    concurrency: int
    consumed_per_second: float
    concurrency_limit: int | None = None
    """How many rows of the queue may be in flight, whatever its window."""
    limited: bool = False
    """Whether that or a limit per tenant holds rows back: then each settled job may make room."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many rows of a queue may be in flight, queued and running together."""

    limit: int
    urgent_reserve: int = 0
    """How many may stand beyond the limit, at the front."""
    provider: str | None = None
    """A half-open breaker's limit is one for all queues of its provider: they are counted together."""


@dataclass(frozen=True, slots=True)
class Marked:
    """What a mark took, in the order in which it must be added, and how many there was room for."""

    jobs: Sequence[Dispatchable]
    wanted: int
    busy: bool = False
    """Another relay was filling this queue, or it was paused, or its breaker turned, since the relay looked."""
    token_seconds: float | None = None
    """In how long a rate lets something through again that it held back now; None: it held nothing back."""
