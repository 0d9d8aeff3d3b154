"""The provider breaker's states and rules. Pure; the row lives in the ledger.

closed ──failures ≥ threshold, or the provider named a time──▶ open ──retry_at──▶ half-open ──successes──▶ closed
                                                                ▲                     │
                                                                └─────── failure ─────┘
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

RAMP_SECONDS = 12
"""For so long after it closed the rate ramps up: a provider that has just come back is not met by the whole backlog."""


class BreakerState(StrEnum):
    """What may pass: all, nothing, a few probes."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """`threshold` outages in a row open it; half-open admits `probes` jobs in all processes together."""

    threshold: int = 5
    probes: int = 3
    base: timedelta = timedelta(seconds=5)
    cap: timedelta = timedelta(minutes=5)

    def opens(self, state: BreakerState, failures: int, retry_after: timedelta | None) -> bool:
        """Whether an outage, the `failures`-th in a row, opens the breaker."""
        return state is not BreakerState.CLOSED or failures >= self.threshold or retry_after is not None

    def open_for(self, openings: int, retry_after: timedelta | None) -> timedelta:
        """How long it stays open at its `openings`-th opening (≥ 1) without a success between."""
        backoff = min(self.base * (1 << min(openings - 1, 16)), self.cap)
        return max(backoff, retry_after) if retry_after is not None else backoff

    def ramp_limit(self, closed_for_seconds: float | None) -> int | None:
        """How many jobs may be in flight after it closed: as many as there were probes, doubled each second.

        None: no limit, because it was never open or closed long ago.
        """
        if closed_for_seconds is None or closed_for_seconds >= RAMP_SECONDS:
            return None
        return self.probes << max(0, int(closed_for_seconds))

    def closes(self, successes: int) -> bool:
        """Whether a half-open breaker closes after so many successes."""
        return successes >= self.probes
