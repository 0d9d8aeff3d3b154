"""What callers of the API met, request by request, and what of it is wrong.

Owns the file that the callers' process appends to: one line is one request, one write. Invariant: the API answers 201,
409 or 503, in bounded time, and a Redis that is away keeps nobody from enqueuing.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.chaos.api import ANSWER_SECONDS, CREATED, ROLLED_BACK, UNAVAILABLE

LIMIT_SECONDS = 2 * ANSWER_SECONDS
"""How long a caller waits for its answer."""
REFUSED, BROKEN, LATE = "refused", "broken", "late"
"""No connection; a connection that ended without an answer; no answer in time."""
UNANSWERED = frozenset({REFUSED, BROKEN, LATE})
ALLOWED = frozenset({str(CREATED), str(ROLLED_BACK), str(UNAVAILABLE)}) | UNANSWERED
REDIS_AWAY = frozenset({"redis-outage"})
STRIKE_THE_API = frozenset(
    {"api-killed", "api-stopped", "kill-relay-after-mark", "kill-caller", "pool-exhausted", "enqueue-answer-lost"}
)
"""Faults that may keep the API, or what it needs besides Redis, from answering."""
RESTART_SECONDS = 10.0
"""How long after its death the API may refuse, as it starts again on a busy machine."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request; times are `time.time`. `outcome`: the status, or how it went without one."""

    began_at: float
    ended_at: float
    outcome: str

    @property
    def seconds(self) -> float:
        return self.ended_at - self.began_at


@dataclass(frozen=True, slots=True)
class Window:
    """When a fault of a kind was in force."""

    kind: str
    began_at: float
    ended_at: float

    def meets(self, other: Window) -> bool:
        return self.began_at < other.ended_at and other.began_at < self.ended_at


class CallLog:
    """The file. Written by one process, which may be killed at any time; read by the nemesis and the judge."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, call: Call) -> None:
        line = json.dumps([call.began_at, call.ended_at, call.outcome]) + "\n"
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)

    def read(self) -> list[Call]:
        if not self._path.exists():
            return []
        return [Call(*json.loads(line)) for line in self._path.read_text(encoding="ascii").splitlines()]


@dataclass(frozen=True)
class CallsVerdict:
    """Of all requests of a run. `away`: of those that began while Redis was."""

    outcomes: dict[str, int] = field(default_factory=dict)
    slowest_seconds: float = 0.0
    away: dict[str, int] = field(default_factory=dict)
    slowest_away_seconds: float = 0.0
    violations: Sequence[str] = ()

    def to_line(self) -> str:
        """For a terminal."""
        outcomes, away = _list_counts(self.outcomes), _list_counts(self.away)
        return (
            f"requests: {outcomes}, slowest answer {self.slowest_seconds:.2f} s; "
            f"while Redis was away: {away}, slowest answer {self.slowest_away_seconds:.2f} s"
        )


def _list_counts(outcomes: dict[str, int]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())) or "none"


def judge_calls(calls: Sequence[Call], faults: Sequence[Window]) -> CallsVerdict:
    """Count, and name what must not be."""
    absences = [window for window in faults if window.kind in REDIS_AWAY]
    away = [call for call in calls if any(_is_in(call, window) for window in absences)]
    return CallsVerdict(
        outcomes=dict(Counter(call.outcome for call in calls)),
        slowest_seconds=_find_slowest(calls),
        away=dict(Counter(call.outcome for call in away)),
        slowest_away_seconds=_find_slowest(away),
        violations=[*_find_strange(calls), *_find_late(calls, faults), *_find_refused_for_redis(calls, faults)],
    )


def _is_in(call: Call, window: Window) -> bool:
    return window.began_at <= call.began_at < window.ended_at


def _find_slowest(calls: Iterable[Call]) -> float:
    return max((call.seconds for call in calls if call.outcome not in UNANSWERED), default=0.0)


def _find_strange(calls: Sequence[Call]) -> list[str]:
    strange = Counter(call.outcome for call in calls if call.outcome not in ALLOWED)
    return [f"the API answered {outcome}, {count} times" for outcome, count in sorted(strange.items())]


def _list_excuses(faults: Sequence[Window]) -> list[Window]:
    return [replace(w, ended_at=w.ended_at + RESTART_SECONDS) for w in faults if w.kind in STRIKE_THE_API]


def _find_late(calls: Sequence[Call], faults: Sequence[Window]) -> list[str]:
    """An API that nobody kills or stops answers before its callers give up."""
    excuses = _list_excuses(faults)
    return [
        f"the API did not answer within {LIMIT_SECONDS:g} s, and nobody had stopped it"
        for call in calls
        if call.outcome == LATE
        and not any(window.meets(Window("", call.began_at, call.ended_at)) for window in excuses)
    ]


def _find_refused_for_redis(calls: Sequence[Call], faults: Sequence[Window]) -> list[str]:
    """While nothing but Redis is away, who asks is served; a lock that another fault holds may cost one or two."""
    excuses = _list_excuses(faults)
    violations = []
    for window in faults:
        if window.kind not in REDIS_AWAY or any(window.meets(excuse) for excuse in excuses):
            continue
        outcomes = Counter(call.outcome for call in calls if _is_in(call, window))
        served = outcomes[str(CREATED)] + outcomes[str(ROLLED_BACK)]
        if 2 * served < outcomes.total():
            violations.append(f"Redis was away, and of {outcomes.total()} requests {served} were served")
    return violations
