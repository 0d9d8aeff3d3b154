"""Incidents: the same fault once, with how often and since when, and what is to be told of it when.

Pure: time is an argument. Keeps: one telling at the opening, one for each cool-down in which it happened again, one
at the end; nothing of what a store that is down explains; a bounded number of incidents and of details.
Refuses to know channels and languages.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tournee.alerts.conditions import Condition, Ends
from tournee.alerts.fingerprints import make_fingerprint
from tournee.alerts.ports import Phase
from tournee.alerts.settings import AlertSettings

MAX_DETAILS = 20
OTHERS = "…"


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, on both faces of the clock."""

    at: float
    wall: datetime


@dataclass(frozen=True, slots=True)
class Fault:
    """What was reported. `key` tells it from others of its condition; `facts` are shown, by the names of their labels.

    `mailed`: the administrators get an e-mail about it on another way. `silent`: it explains others and is told of by
    another process. `explained_by`: what swallows this one while it lasts; None: what the condition says.
    """

    condition: Condition
    key: str
    subject: str
    facts: Mapping[str, str] = field(default_factory=dict)
    job_id: int | None = None
    mailed: bool = False
    silent: bool = False
    explained_by: tuple[str, ...] | None = None


@dataclass(slots=True)
class Incident:
    """One fault while it lasts. `count` is how often; `explained` how many errors it swallowed."""

    name: str
    fault: Fault
    opened: Moment
    last: Moment
    due_at: float
    count: int = 0
    details: Counter[str] = field(default_factory=Counter)
    told_at: float | None = None
    told_count: int = 0
    explained: int = 0
    ended: Moment | None = None

    def add(self, count: int, detail: str = "") -> None:
        """It happened again, so many times."""
        self.count += count
        if detail:
            known = detail in self.details or len(self.details) < MAX_DETAILS
            self.details[detail if known else OTHERS] += count


@dataclass(frozen=True, slots=True)
class Telling:
    """An incident that is to be told of now."""

    incident: Incident
    phase: Phase


class IncidentBook:
    """All incidents of one process. Used by one thread."""

    def __init__(self, settings: AlertSettings, start: Moment) -> None:
        self._settings = settings
        self._quiet_until = start.at + settings.quiet_start_seconds
        self._open: dict[str, Incident] = {}
        self._of_condition: Counter[str] = Counter()
        self._lately: dict[str, tuple[float, Incident]] = {}
        self._told: dict[str, deque[float]] = {}
        self._looks: dict[str, float] = {}
        self._tellings: list[Telling] = []
        self._concluding = False
        self.suppressed: Counter[str] = Counter()

    @property
    def open(self) -> Iterable[Incident]:
        return self._open.values()

    # --- what happens

    def note(self, fault: Fault, now: Moment, count: int = 1, detail: str = "") -> Incident:
        """It happened. Opens an incident, or counts in the one that is open."""
        incident = self._open.get(self._name(fault))
        if incident is None:
            incident = self._begin(fault, now)
        incident.last = now
        incident.add(count, detail)
        return incident

    def find(self, condition: str, key: str = "") -> Incident | None:
        """The open incident of this fault."""
        return self._open.get(f"{condition}:{key}")

    def end(self, condition: str, key: str, now: Moment) -> None:
        """It is over. Nothing happens if it was not open."""
        incident = self._open.get(f"{condition}:{key}")
        if incident is not None:
            self._close(incident, now)

    def drop(self, condition: str, key: str = "") -> None:
        """Forget an open incident without a word."""
        incident = self._open.get(f"{condition}:{key}")
        if incident is not None:
            self._remove(incident)

    def note_look(self, condition: str, looked_at: float, *, watched: bool = True) -> None:
        """Somebody who watches for this condition began to look then, and found that it does not hold.

        `watched` False: nobody watches any more.
        """
        if watched:
            self._looks[condition] = looked_at
        else:
            self._looks.pop(condition, None)

    def explain(self, names: Iterable[str], now: Moment) -> Incident | None:
        """The incident that explains an error of this moment: open, or over for a short while only."""
        for name in names:
            if (explaining := self._find_explaining(name, now)) is not None:
                return explaining
        return None

    def swallow(self, explaining: Incident, count: int) -> None:
        """So many errors are not told of: they follow from this."""
        explaining.explained += count
        self.suppressed["explained"] += count

    # --- what is to be told

    def tick(self, now: Moment) -> list[Telling]:
        """What is to be told at this moment. Call it every now and then."""
        for incident in list(self._open.values()):
            if incident.told_at is None:
                self._consider_opening(incident, now)
            elif self._is_over(incident, now):
                self._close(incident, now)
            elif incident.fault.condition.ends is Ends.QUIET and self._is_due_again(incident, now):
                self._tell(incident, Phase.ONGOING, now)
        self._forget(now)
        tellings, self._tellings = self._tellings, []
        return tellings

    def holds_back(self, now: Moment) -> bool:
        """Whether something would be told now, but for the look that may explain it."""
        return any(
            incident.told_at is None and not incident.fault.silent and now.at >= incident.due_at
            for incident in self._open.values()
        )

    def conclude(self) -> None:
        """There will be no later: hold nothing back for a look that may explain it."""
        self._concluding = True

    # --- inside

    def _name(self, fault: Fault) -> str:
        condition = fault.condition
        name = f"{condition.name}:{fault.key}"
        if name not in self._open and self._of_condition[condition.name] >= condition.most:
            return f"{condition.name}:{OTHERS}"
        return name

    def _begin(self, fault: Fault, now: Moment) -> Incident:
        name = self._name(fault)
        if name.endswith(f":{OTHERS}") and (others := self._open.get(name)) is not None:
            return others
        if name.endswith(f":{OTHERS}"):
            fault = Fault(fault.condition, OTHERS, OTHERS, {}, fault.job_id, fault.mailed, fault.silent)
        incident = Incident(name, fault, now, now, self._find_due(name, fault, now))
        self._open[name] = incident
        self._of_condition[fault.condition.name] += 1
        return incident

    def _find_due(self, name: str, fault: Fault, now: Moment) -> float:
        """When it may be told: after the quiet start, and not yet if it comes and goes all the time."""
        told = self._told.get(name, ())
        due_at = max(now.at, self._quiet_until)
        allowed = self._settings.flaps_told if fault.condition.ends is Ends.STATED else 1
        recent = [at for at in told if now.at - at < self._settings.cooldown_seconds]
        if len(recent) >= allowed:
            due_at = max(due_at, recent[-allowed] + self._settings.cooldown_seconds)
        return due_at

    def _find_explaining(self, name: str, now: Moment) -> Incident | None:
        if self._of_condition[name]:
            return next(incident for incident in self._open.values() if incident.fault.condition.name == name)
        ended_at, incident = self._lately.get(name, (float("-inf"), None))
        return incident if now.at - ended_at < self._settings.grace_seconds else None

    def _consider_opening(self, incident: Incident, now: Moment) -> None:
        if incident.fault.silent:
            return
        held_for = incident.fault.condition.explained_by
        explained_by = held_for if incident.fault.explained_by is None else incident.fault.explained_by
        if explained_by and self.explain(explained_by, now) is not None:
            # Whoever found the explanation has counted the errors of the last moments.
            self._remove(incident)
        elif now.at >= incident.due_at and (not held_for or self._nothing_explains(incident, now)):
            self._tell(incident, Phase.OPENED, now)

    def _nothing_explains(self, incident: Incident, now: Moment) -> bool:
        """Whether every store that is watched answered a look that began after the error, or the wait was long enough.

        An error comes before the look that finds its cause: it is held for that look, and no longer.
        """
        waited = self._concluding or now.at - incident.opened.at >= self._settings.hold_seconds
        looks = [self._looks[name] for name in incident.fault.condition.explained_by if name in self._looks]
        return waited or all(looked_at >= incident.opened.at for looked_at in looks)

    def _is_over(self, incident: Incident, now: Moment) -> bool:
        """Quiet for a window, and past the cool-down, so that what begins again meanwhile is the same incident."""
        if incident.fault.condition.ends is not Ends.QUIET or incident.told_at is None:
            return False
        quiet = now.at - incident.last.at >= self._settings.window_seconds
        return quiet and now.at - incident.told_at >= self._settings.cooldown_seconds and not self._news(incident)

    def _is_due_again(self, incident: Incident, now: Moment) -> bool:
        assert incident.told_at is not None
        return self._news(incident) and now.at - incident.told_at >= self._settings.cooldown_seconds

    def _news(self, incident: Incident) -> bool:
        """Whether it came to an alert again after the last telling."""
        return incident.told_at is not None and incident.last.at > incident.told_at

    def _close(self, incident: Incident, now: Moment) -> None:
        incident.ended = now
        self._remove(incident)
        self._lately[incident.fault.condition.name] = (now.at, incident)
        condition = incident.fault.condition
        if incident.told_at is None:
            self.suppressed["brief"] += 0 if incident.fault.silent else 1
        elif condition.ends is Ends.STATED or condition.tells_end or incident.count > incident.told_count:
            self._tell(incident, Phase.ENDED, now)

    def _remove(self, incident: Incident) -> None:
        del self._open[incident.name]
        self._of_condition[incident.fault.condition.name] -= 1

    def _tell(self, incident: Incident, phase: Phase, now: Moment) -> None:
        if phase is Phase.OPENED:
            self._told.setdefault(incident.name, deque(maxlen=max(1, self._settings.flaps_told))).append(now.at)
        incident.told_at = now.at
        self.suppressed["grouped"] += max(0, incident.count - incident.told_count - 1)
        incident.told_count = incident.count
        self._tellings.append(Telling(incident, phase))

    def _forget(self, now: Moment) -> None:
        """What was told longer ago than the cool-down binds nobody."""
        for name, times in list(self._told.items()):
            if now.at - times[-1] >= self._settings.cooldown_seconds:
                del self._told[name]


def identify(incident: Incident) -> str:
    """A short name of one incident, the same for all its tellings."""
    return make_fingerprint(incident.name, incident.opened.wall.isoformat())
