"""Which workers are dead. Pure: a decision over what one observer saw, apart from the I/O that saw it.

A worker is dead only if the observer itself saw the same heartbeat over a whole lease, its own writes succeeding all
along; so a PostgreSQL that was away, or an observer that stood still, costs nobody a rescue.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tournee.engine.core.job import WorkerId


@dataclass(frozen=True, slots=True)
class Seen:
    """A heartbeat and since when (seconds of a monotonic clock) the observer has seen just that one."""

    beat: int
    since: float


@dataclass(slots=True)
class WorkerObserver:
    """Remembers heartbeats between looks; `lease_seconds` is how long one may stay the same."""

    lease_seconds: float
    longest_gap_seconds: float
    """A longer gap between two looks means that the observer stood still: what it saw before counts for nothing."""
    _seen: dict[WorkerId, Seen] = field(default_factory=dict)
    _last_look: float | None = None
    _mass_since: float | None = None

    def forget(self) -> None:
        """The observer's own write failed: start anew."""
        self._seen.clear()
        self._last_look = None
        self._mass_since = None

    def observe(self, beats: Mapping[WorkerId, int], now: float) -> set[WorkerId]:
        """Take one look; answers the dead. If more than half are stale at once, waits one more lease."""
        if self._last_look is not None and now - self._last_look > self.longest_gap_seconds:
            self.forget()
        self._last_look = now
        self._seen = {
            worker: seen if (seen := self._seen.get(worker)) is not None and seen.beat == beat else Seen(beat, now)
            for worker, beat in beats.items()
        }
        stale = {worker for worker, seen in self._seen.items() if now - seen.since >= self.lease_seconds}
        return self._withhold_mass_death(stale, len(beats), now)

    def _withhold_mass_death(self, stale: set[WorkerId], total: int, now: float) -> set[WorkerId]:
        # One worker that is alone, or one of two, dies like any other; the rule is for many at once.
        if total < 3 or len(stale) * 2 <= total:
            self._mass_since = None
            return stale
        if self._mass_since is None:
            self._mass_since = now
        return stale if now - self._mass_since >= self.lease_seconds else set()

    @property
    def suspects_mass_death(self) -> bool:
        """More than half of the workers are stale: worth an alert."""
        return self._mass_since is not None


def union(ids: Iterable[WorkerId], more: Iterable[WorkerId]) -> list[WorkerId]:
    """Both, sorted, so that two observers lock in one order."""
    return sorted({*ids, *more})
