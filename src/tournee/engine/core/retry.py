"""When a failed or parked job runs again. Pure: the dice are handed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off with jitter: `base × factor^(failures − 1)`, at most `cap`, spread by ± `jitter`.

    The jitter keeps the jobs of one outage from coming back in one wave ("Exponential Backoff And Jitter",
    AWS Architecture Blog, 2015).
    """

    base: timedelta = timedelta(seconds=2)
    factor: float = 3.0
    cap: timedelta = timedelta(minutes=10)
    jitter: float = 0.2

    def delay(self, failures: int, random: Callable[[], float]) -> timedelta:
        """How long to wait after `failures` (≥ 1) failures; `random` gives a number in [0, 1)."""
        # The exponent is bounded before it is raised, so that a job parked for weeks cannot overflow a float.
        exponent = min(max(failures, 1) - 1, 64)
        plain = min(self.base.total_seconds() * self.factor**exponent, self.cap.total_seconds())
        spread = 1 + self.jitter * (2 * random() - 1)
        return timedelta(seconds=plain * spread)


PARKING = RetryPolicy(base=timedelta(seconds=5), factor=2.0, cap=timedelta(minutes=5))
"""For jobs that hit an outage: they come back when the provider may be there again."""
