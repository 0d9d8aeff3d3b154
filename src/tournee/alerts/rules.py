"""When something counts, and when enough is enough: windows, hysteresis, levels.

Pure: time is an argument, in seconds of a monotonic clock. Every rule holds a bounded number of things.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Set as AbstractSet

SERVER_ERROR = 500
TOO_MANY_REQUESTS = 429


def is_api_error(status: int, client_error_statuses: AbstractSet[int]) -> bool:
    """Whether a response of this status counts as an API error. 429 has a rule of its own."""
    return status >= SERVER_ERROR or (status in client_error_statuses and status != TOO_MANY_REQUESTS)


class SlidingWindow:
    """Fires when the `threshold`-th event comes less than `seconds` after the first of them.

    It keeps the latest `threshold` times and no more, so that the window slides with every event.
    """

    def __init__(self, threshold: int, seconds: float) -> None:
        self.seconds = seconds
        self._times: deque[float] = deque(maxlen=threshold)

    def add(self, at: float, count: int = 1) -> bool:
        """Note `count` events at this time; True if the rule holds now."""
        times = self._times
        for _ in range(min(count, times.maxlen or 0)):
            times.append(at)
        return len(times) == times.maxlen and at - times[0] < self.seconds

    def clear(self) -> None:
        """Forget all: what came so far has its explanation."""
        self._times.clear()


class Hysteresis:
    """Down after `fails` failed looks in a row, back after `passes` good ones, so that one slow answer alarms nobody.

    `since` is when the run of equal looks began that the present state rests on.
    """

    def __init__(self, fails: int = 2, passes: int = 2) -> None:
        self._fails = fails
        self._passes = passes
        self._run = 0
        self._run_began = 0.0
        self._last: bool | None = None
        self.down = False
        self.since = 0.0

    def observe(self, good: bool, at: float) -> bool:
        """Note a look that began at this time; True if `down` changed by it."""
        if good is not self._last:
            self._last, self._run, self._run_began = good, 0, at
        self._run += 1
        needed = self._passes if good else self._fails
        if good is not self.down or self._run < needed:
            return False
        self.down = not good
        self.since = self._run_began
        return True

    @property
    def wavers(self) -> bool:
        """Whether the latest looks speak against the present state, so that another one should come soon."""
        return self._last is self.down


class Level:
    """A level that alarms above `high` and is calm again below `low`. The first look only tells where one stands.

    `baseline`: a level that was high at the start alarms nobody, as whoever looked before has told of it, until it
    has grown by `high` once more.
    """

    def __init__(self, high: float, low: float, *, baseline: bool = False) -> None:
        self._high = high
        self._low = low
        self._baseline = baseline
        self._limit = high
        self._known = False
        self.alarmed = False

    def observe(self, value: float) -> bool:
        """Note a value; True if `alarmed` changed by it."""
        if not self._known:
            self._known = True
            if self._baseline and value >= self._high:
                self._limit = value + self._high
        if value < self._low:
            self._limit = self._high
        alarmed = value >= self._limit if not self.alarmed else value >= self._low
        changed, self.alarmed = alarmed is not self.alarmed, alarmed
        return changed


def back_off_seconds(failures: int, base: float = 5.0, cap: float = 300.0) -> float:
    """How long a channel that failed so many times in a row (≥ 1) is left alone."""
    return float(min(base * 2 ** min(failures - 1, 16), cap))
