"""Where errors are recorded, and where they become incidents.

Keeps: `record_…`, `report`, `clear` and `forget` may be called from any thread; they put something small into a bounded
queue, wait for nothing, raise nothing and do no I/O. Names, fingerprints and rules come later, in `digest`, which the
alert thread alone calls. What the queue could not take is counted and still moves the windows.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from functools import partial
from typing import Any

import structlog

from tournee.alerts import conditions
from tournee.alerts.conditions import CONDITIONS, Ends
from tournee.alerts.error_count import ErrorCount, Seen, list_stores
from tournee.alerts.fingerprints import make_fingerprint, name_error, name_place, name_route
from tournee.alerts.incidents import Fault, IncidentBook, Moment
from tournee.alerts.rules import TOO_MANY_REQUESTS, SlidingWindow
from tournee.alerts.settings import AlertSettings
from tournee.kit.clock import SYSTEM_CLOCK, Clock

log = structlog.get_logger(__name__)

Scope = MutableMapping[str, Any]

KEPT_EXCEPTIONS = 64
"""So many exceptions may wait with their frames; of those beyond only the class is kept."""
CONTROL_LIMIT = 1024
VITAL_LIMIT = 4 * CONTROL_LIMIT
"""Beginnings and ends that are stated have room of their own: one that is lost would last for ever."""
MAX_PATH = 256
MAX_WINDOWS = 100
MAX_PLACES = 200
FAULT = 500
SOCKET = "WEBSOCKET"
"""What stands for a method where a scope has none."""


class _Kind(IntEnum):
    RESPONSE = 0
    PROVIDER = 1
    RATE_LIMIT_IN = 2
    RATE_LIMIT_OUT = 3
    REPORT = 4


@dataclass(frozen=True, slots=True)
class MonitorCounts:
    """What was recorded since the start. `overflowed`: counted without details, because the queue was full."""

    recorded: Mapping[str, int]
    overflowed: int
    suppressed: Mapping[str, int]
    open_incidents: int


class Monitor:
    """One process's errors."""

    def __init__(self, settings: AlertSettings, clock: Clock = SYSTEM_CLOCK) -> None:
        self.settings = settings
        self._clock = clock
        self._monotonic = clock.monotonic
        self.wake: Callable[[], None] | None = None
        """Called once, at the next thing that is recorded."""
        self.on_suspicion: Callable[[], None] = lambda: None
        """Called in `digest` for an error that a store which is down would explain."""
        watched = {TOO_MANY_REQUESTS} if settings.watches_rate_limits else set()
        self.watched_statuses = (settings.client_error_statuses - {TOO_MANY_REQUESTS}) | watched
        """Which statuses below 500 are worth recording."""
        self.forget_all()

    def forget_all(self) -> None:
        """Begin anew: in a child that was forked, what its parent recorded is the parent's to tell."""
        settings = self.settings
        self._queue: deque[tuple[Any, ...]] = deque()
        self._limit = settings.queue_limit
        self._lock = threading.Lock()
        self._overflow: Counter[_Kind] = Counter()
        self._control: deque[Callable[[], None]] = deque()
        self._recorded: Counter[str] = Counter()
        self._places: dict[tuple[str, str], str] = {}
        self._overflowed = 0
        self._limit_windows: dict[tuple[_Kind, str], SlidingWindow] = {}
        self.book = IncidentBook(settings, self._now())
        self._errors = ErrorCount(settings, self.book, self._when)

    # --- from anywhere, at once

    def record_response(self, status: int, scope: Scope) -> None:
        """A request of this ASGI scope was answered with an error of this status."""
        kind = _Kind.RATE_LIMIT_IN if status == TOO_MANY_REQUESTS else _Kind.RESPONSE
        get = scope.get
        request = (get("method", SOCKET), get("route"), get("endpoint"), get("path", "")[:MAX_PATH])
        self._put((kind, self._monotonic(), status, None, request))

    def record_exception(self, error: BaseException, scope: Scope) -> None:
        """An exception left the application while it served a request of this ASGI scope."""
        kept = error if len(self._queue) < KEPT_EXCEPTIONS else type(error)
        get = scope.get
        request = (get("method", SOCKET), get("route"), get("endpoint"), get("path", "")[:MAX_PATH])
        self._put((_Kind.RESPONSE, self._monotonic(), FAULT, kept, request))

    def record_provider_failure(self, provider: str, error: BaseException | str = "") -> None:
        """A call to a provider failed after its client's own retries."""
        self._put((_Kind.PROVIDER, self._monotonic(), provider, error if isinstance(error, str) else type(error)))

    def record_rate_limit(self, provider: str) -> None:
        """A provider refused a call with 429, or named a time before which it wants none."""
        if self.settings.watches_rate_limits:
            self._put((_Kind.RATE_LIMIT_OUT, self._monotonic(), provider))

    def report(self, fault: Fault, *, since: float | None = None, told: bool = False) -> None:
        """A condition holds, `since` that time of the monotonic clock (None: now). `told`: another process has told of
        it, so that only its end is news.
        """
        now = self._now()
        began = now if since is None else self._when(since)
        vital = fault.condition.ends is Ends.STATED
        self._put_control(lambda: self._note_report(fault, now, began, told=told), vital=vital)

    def clear(self, condition: str, key: str = "", *, since: float | None = None) -> None:
        """A reported condition holds no longer, since that time of the monotonic clock (None: now)."""
        ended = self._now() if since is None else self._when(since)
        self._put_control(lambda: self.book.end(condition, key, ended))

    def forget(self, condition: str, key: str = "") -> None:
        """Whether a reported condition holds is another process's matter from now on: its end is not told here."""
        self._put_control(lambda: self.book.drop(condition, key))

    def _put_control(self, act: Callable[[], None], *, vital: bool = True) -> None:
        if self.wake is not None:
            self._wake_up()
        if len(self._control) < (VITAL_LIMIT if vital else CONTROL_LIMIT):
            self._control.append(act)
        else:
            with self._lock:
                self._overflow[_Kind.REPORT] += 1

    def _put(self, entry: tuple[Any, ...]) -> None:
        if self.wake is not None:
            self._wake_up()
        if len(self._queue) < self._limit:
            self._queue.append(entry)
        else:
            with self._lock:
                self._overflow[entry[0]] += 1

    def _wake_up(self) -> None:
        with self._lock:
            wake, self.wake = self.wake, None
        if wake is not None:
            # No thread may be had at the moment; whoever records must not hear of it.
            with suppress(RuntimeError):
                wake()

    # --- in the alert thread

    def digest(self, limit: int = 50_000) -> int:
        """Turn what was recorded into counts and incidents; answers how many entries it took."""
        with self._lock:
            overflow, self._overflow = self._overflow, Counter()
        for _ in range(len(self._control)):
            self._act_safely(self._control.popleft())
        taken = 0
        for _ in range(min(limit, len(self._queue))):
            self._act_safely(partial(self._digest, self._queue.popleft()))
            taken += 1
        for kind, count in overflow.items():
            self._overflowed += count
            self._digest_overflow(kind, count)
        return taken

    def snapshot(self) -> MonitorCounts:
        """Counts since the start, for metrics. May be called from any thread."""
        return MonitorCounts(
            dict(self._recorded), self._overflowed, dict(self.book.suppressed), len(list(self.book.open))
        )

    def holds(self, condition: str, key: str = "") -> bool:
        """Whether this fault was reported and is not over. May be called from any thread."""
        return self.book.find(condition, key) is not None

    def _now(self) -> Moment:
        return Moment(self._clock.monotonic(), self._clock.now())

    def _when(self, at: float) -> Moment:
        now = self._now()
        return Moment(at, now.wall - timedelta(seconds=max(0.0, now.at - at)))

    def _act_safely(self, act: Callable[[], None]) -> None:
        """What can't be read must not keep the others from being counted."""
        try:
            act()
        except Exception:
            if not self._recorded["unreadable"]:
                log.exception("a recorded error could not be read")
            self._recorded["unreadable"] += 1

    def _digest(self, entry: tuple[Any, ...]) -> None:
        kind, at = entry[0], entry[1]
        if kind == _Kind.RESPONSE:
            self._digest_response(at, *entry[2:])
        elif kind == _Kind.PROVIDER:
            _, _, provider, error = entry
            self._recorded["provider"] += 1
            self._errors.count(Seen(at, f"{provider} {name_error(error)}".strip(), 1, ()))
        elif kind == _Kind.RATE_LIMIT_IN:
            self._recorded["rate_limited_in"] += 1
            self._count_limit(_Kind.RATE_LIMIT_IN, at, name_route(*entry[4]))
        else:
            self._recorded["rate_limited_out"] += 1
            self._count_limit(_Kind.RATE_LIMIT_OUT, at, str(entry[2]))

    def _digest_response(self, at: float, status: int, error: Any, request: tuple[Any, ...]) -> None:
        self._recorded["request"] += 1
        self.on_suspicion()
        stores = list_stores(status, error)
        if self._is_explained(stores, at):
            return
        name = name_route(*request)
        label = name_error(error) if error is not None else str(status)
        self._errors.count(Seen(at, f"{name} {label}", 1, stores))
        if self.settings.production and status == FAULT:
            place = self._find_place(name, label, error)
            facts = {"error": name_error(error) if error is not None else "", "place": place}
            key = make_fingerprint(name, label, place)
            fault = Fault(CONDITIONS[conditions.ERROR_500], key, name, facts, explained_by=stores)
            self.book.note(fault, self._when(at))

    def _find_place(self, route: str, label: str, error: Any) -> str:
        """Where it was raised. In a storm only the class of most exceptions is kept; the others say where."""
        if isinstance(error, BaseException):
            if len(self._places) >= MAX_PLACES:
                self._places.clear()
            self._places[route, label] = name_place(error.__traceback__)
        return self._places.get((route, label), "")

    def _note_report(self, fault: Fault, now: Moment, began: Moment, *, told: bool) -> None:
        known = self.book.find(fault.condition.name, fault.key)
        incident = self.book.note(fault, now)
        if known is not None:
            return
        incident.opened = began
        if told:
            incident.told_at, incident.told_count = now.at, incident.count
        if fault.condition.name in (conditions.DATABASE_DOWN, conditions.REDIS_DOWN):
            self._errors.explain(incident, now.at)

    def _is_explained(self, stores: Iterable[str], at: float, count: int = 1) -> bool:
        """Whether one of these stores is down and therefore the reason."""
        explaining = self.book.explain(stores, Moment(at, self._clock.now()))
        if explaining is None:
            return False
        self.book.swallow(explaining, count)
        return True

    def _count_limit(self, kind: _Kind, at: float, subject: str, count: int = 1) -> None:
        window = self._limit_windows.get((kind, subject))
        if window is None:
            if len(self._limit_windows) >= MAX_WINDOWS:
                self._limit_windows.clear()
            window = SlidingWindow(self.settings.rate_limit_threshold, self.settings.window_seconds)
            self._limit_windows[kind, subject] = window
        name = conditions.RATE_LIMITED_IN if kind == _Kind.RATE_LIMIT_IN else conditions.RATE_LIMITED_OUT
        incident = self.book.find(name, subject)
        if window.add(at, count):
            threshold = count if incident is not None else max(count, self.settings.rate_limit_threshold)
            self.book.note(Fault(CONDITIONS[name], subject, subject), self._when(at), threshold)
        elif incident is not None:
            incident.add(count)

    def _digest_overflow(self, kind: _Kind, count: int) -> None:
        """Errors of which nothing is known but that they happened."""
        at = self._monotonic()
        if kind == _Kind.REPORT:
            return
        if kind in (_Kind.RATE_LIMIT_IN, _Kind.RATE_LIMIT_OUT):
            self._recorded["rate_limited_in" if kind == _Kind.RATE_LIMIT_IN else "rate_limited_out"] += count
            self._count_limit(kind, at, "…", count)
            return
        self._recorded["request" if kind == _Kind.RESPONSE else "provider"] += count
        stores = list_stores(FAULT, None) if kind == _Kind.RESPONSE else ()
        if not self._is_explained(stores, at, count):
            self._errors.count(Seen(at, "…", count, stores))
