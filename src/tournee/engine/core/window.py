"""How many jobs of a queue may stand in Redis. Pure.

Redis holds about one second of work, so that its memory is constant at any backlog and its loss costs O(window).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WindowPolicy:
    """Bounds of the dispatch window of one queue, in jobs."""

    minimum: int = 20
    maximum: int = 10_000
    urgent_reserve: int = 50

    def size(self, concurrency: int, consumed_per_second: float) -> int:
        """The window: what was consumed in the last second, at least twice the total concurrency."""
        return min(max(self.minimum, 2 * concurrency, int(consumed_per_second)), self.maximum)

    def limit(self, concurrency: int, consumed_per_second: float) -> int:
        """How many rows may be in flight: a window of queued ones, and as many running as there are places."""
        return self.size(concurrency, consumed_per_second) + concurrency
