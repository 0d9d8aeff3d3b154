"""A figure of the whole ledger that should stay low, as one leader after the other looks at it.

Keeps: a figure alarms once it was high, and is calm once it was below half of that, in each of so many looks in a row.
What a leader finds at its first looks was told of by whoever led before: it alarms again only when it has grown by as
much once more. So does what an outage that is told of, or an operator's pause, has made of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from tournee.alerts.conditions import CONDITIONS
from tournee.alerts.incidents import Fault
from tournee.alerts.monitor import Monitor
from tournee.alerts.rules import Level


class LevelWatch:
    """Reports one condition by one figure. `looks`: so many in a row must say the same."""

    def __init__(self, monitor: Monitor, condition: str, high: float, looks: int = 1) -> None:
        self._monitor = monitor
        self._condition = condition
        self._high = high
        self._low = high / 2
        self._recent: deque[float] = deque(maxlen=looks)
        self._fresh, self._inherited, self._level = True, False, self._make_level()

    def look(self, value: float, facts: Mapping[str, str], *, explained: bool = False) -> None:
        """Note what was found. `explained`: it is high for a reason that is known, and alarms nobody."""
        if explained and not self._level.alarmed:
            self._fresh, self._level = False, self._make_level()
            self._recent.clear()
            return
        self._recent.append(value)
        if len(self._recent) == self._recent.maxlen:
            self._decide(facts)
            self._fresh = False

    def forget(self) -> None:
        """Another process leads, and tells how it goes on."""
        self._monitor.forget(self._condition)
        self._restart()

    def _decide(self, facts: Mapping[str, str]) -> None:
        least, most = min(self._recent), max(self._recent)
        fault = Fault(CONDITIONS[self._condition], "", "", facts)
        changed = self._level.observe(most if self._level.alarmed else least)
        if self._fresh and least >= self._high:
            # Whoever led before has told of this; that it is over is told here.
            self._inherited = True
            self._monitor.report(fault, told=True)
        elif changed and self._level.alarmed:
            if self._inherited:
                self._monitor.forget(self._condition)
            self._inherited = False
            self._monitor.report(fault)
        elif changed or (self._inherited and most < self._low):
            self._inherited = False
            self._monitor.clear(self._condition)

    def _restart(self) -> None:
        self._fresh, self._inherited, self._level = True, False, self._make_level()
        self._recent.clear()

    def _make_level(self) -> Level:
        return Level(self._high, self._low, baseline=True)
