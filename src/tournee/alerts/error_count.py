"""The count of API errors: the sliding window, the latest errors, and what a store that is down explains of them.

Keeps: an error is counted in the alert or in what a store explains, never in both; a bounded number is remembered.
Used by the alert thread alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tournee.alerts import conditions
from tournee.alerts.conditions import CONDITIONS
from tournee.alerts.incidents import Fault, Incident, IncidentBook, Moment
from tournee.alerts.rules import SlidingWindow
from tournee.alerts.settings import AlertSettings

RECENT = 1_000
"""So many of the latest errors are remembered, for what a message says of them."""
UNAVAILABLE = 503
REDIS_PACKAGES = frozenset({"redis", "valkey"})


@dataclass(frozen=True, slots=True)
class Seen:
    """Some equal errors of one moment; `stores`: which of them would explain these."""

    at: float
    detail: str
    count: int
    stores: tuple[str, ...]


class ErrorCount:
    """API errors of one process. `when` makes a moment of a time of the monotonic clock."""

    def __init__(self, settings: AlertSettings, book: IncidentBook, when: Callable[[float], Moment]) -> None:
        self._book = book
        self._when = when
        self._hold_seconds = settings.hold_seconds
        self._window = SlidingWindow(settings.error_threshold, settings.window_seconds)
        self._recent: deque[Seen] = deque(maxlen=max(RECENT, settings.error_threshold))

    def count(self, seen: Seen) -> None:
        """Count these, and open the alert or count them there."""
        fires = self._remember(seen)
        incident = self._book.find(conditions.API_ERRORS)
        if incident is not None and not fires:
            incident.add(seen.count, seen.detail)
        elif fires:
            new = incident is None
            # What a store explains is not counted here, so that no store explains the alert.
            fault = Fault(CONDITIONS[conditions.API_ERRORS], "", "", explained_by=())
            incident = self._book.note(fault, self._when(seen.at), 0 if new else seen.count, "" if new else seen.detail)
            if new:
                self._recall(incident, seen.at)

    def explain(self, incident: Incident, at: float) -> None:
        """Errors from just before that follow from this have found their explanation; the others still count."""
        name, earliest = incident.fault.condition.name, at - self._hold_seconds
        explained = [seen for seen in self._recent if seen.at > earliest and name in seen.stores]
        if not explained:
            return
        self._book.swallow(incident, sum(seen.count for seen in explained))
        kept = [seen for seen in self._recent if seen.at <= earliest or name not in seen.stores]
        self._recent.clear()
        self._window.clear()
        alert = self._book.find(conditions.API_ERRORS)
        if alert is not None and alert.told_at is None:
            self._book.drop(conditions.API_ERRORS)
            alert = None
        for seen in kept:
            # An alert that was told has counted them already.
            self.count(seen) if alert is None else self._remember(seen)

    def _remember(self, seen: Seen) -> bool:
        """Whether the alert's rule holds now."""
        self._recent.append(seen)
        return self._window.add(seen.at, seen.count)

    def _recall(self, incident: Incident, at: float) -> None:
        """What the window saw before it fired is part of the incident."""
        recent = [seen for seen in self._recent if at - seen.at < self._window.seconds]
        for seen in recent:
            incident.add(seen.count, seen.detail)
        incident.opened = self._when(recent[0].at)


def list_stores(status: int, error: Any) -> tuple[str, ...]:
    """What would explain this answer: the database everything, Redis "unavailable" and what its own client raises."""
    kind = error if isinstance(error, type) else type(error)
    of_redis = any(base.__module__.partition(".")[0] in REDIS_PACKAGES for base in kind.__mro__)
    stores = (conditions.DATABASE_DOWN, conditions.REDIS_DOWN)
    return stores if status == UNAVAILABLE or of_redis else stores[:1]
