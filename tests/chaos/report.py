"""What a run came to: one object for machines, some lines for people."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.chaos.calls import CallsVerdict
from tests.chaos.catalogue import KINDS
from tests.chaos.nemesis import Injected

DRAIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checker found. `lost`: acknowledged and in no row, or due and not terminal at the end."""

    jobs: int
    states: Mapping[str, int]
    lost: int
    duplicated_effects: int
    drain_seconds: float | None
    """From the end of the faults until no job was live that was there then. None: the backlog did not drain."""
    end_seconds: float | None
    """Until the whole load was enqueued and done; a machine that could not keep up has enqueued the rest afterwards."""
    violations: Sequence[str]
    executions: int
    deaths_of_processes: int


@dataclass(frozen=True)
class Report:
    """All of it."""

    seed: int
    minutes: float
    verdict: Verdict
    faults: Sequence[Injected]
    recovery: Mapping[int, float | None]
    """By the fault's number, in seconds."""
    wanted_jobs: int
    refusals: Mapping[str, str] = field(default_factory=dict)
    calls: CallsVerdict = field(default_factory=CallsVerdict)

    def count(self, outcome: str) -> Counter[str]:
        return Counter(entry.fault.kind for entry in self.faults if entry.outcome == outcome)

    def list_failures(self) -> list[str]:
        """Why the run failed; empty: it held."""
        verdict = self.verdict
        failures = [f"{entry.fault.kind}: {entry.detail}" for entry in self.faults if entry.outcome == "broken"]
        never = {entry.fault.kind for entry in self.faults} - self.count("injected").keys() - self.refusals.keys()
        failures += [f"{kind} was planned and never injected" for kind in sorted(never)]
        if verdict.drain_seconds is None or verdict.drain_seconds > DRAIN_SECONDS:
            failures.append(f"the backlog was not drained within {DRAIN_SECONDS:g} s")
        if verdict.end_seconds is None:
            failures.append("the load was not enqueued, or not done")
        if verdict.jobs < self.wanted_jobs:
            failures.append(f"{verdict.jobs} jobs instead of {self.wanted_jobs}")
        return [*failures, *self.calls.violations, *verdict.violations]

    def find_worst(self) -> tuple[str, float]:
        """The slowest recovery and its kind."""
        kinds = {entry.fault.number: entry.fault.kind for entry in self.faults}
        measured = [(seconds, kinds[number]) for number, seconds in self.recovery.items() if seconds is not None]
        seconds, kind = max(measured, default=(0.0, "none"))
        return kind, seconds

    def find_worst_by_kind(self) -> dict[str, float]:
        worst: dict[str, float] = {}
        for entry in self.faults:
            seconds = self.recovery.get(entry.fault.number)
            if seconds is not None and entry.outcome == "injected":
                worst[entry.fault.kind] = max(worst.get(entry.fault.kind, 0.0), round(seconds, 2))
        return worst

    def to_json(self) -> dict[str, Any]:
        kind, seconds = self.find_worst()
        return {
            "seed": self.seed,
            "minutes": self.minutes,
            "held": not self.list_failures(),
            "machine": {"system": platform.platform(), "python": platform.python_version()},
            "faults": sum(self.count("injected").values()),
            "injected": dict(sorted(self.count("injected").items())),
            "missed": dict(sorted(self.count("missed").items())),
            "skipped": dict(self.refusals),
            "jobs": self.verdict.jobs,
            "states": dict(self.verdict.states),
            "executions": self.verdict.executions,
            "process_deaths": self.verdict.deaths_of_processes,
            "lost": self.verdict.lost,
            "duplicated_effects": self.verdict.duplicated_effects,
            "requests": dict(self.calls.outcomes),
            "slowest_answer_seconds": round(self.calls.slowest_seconds, 2),
            "requests_without_redis": dict(self.calls.away),
            "slowest_answer_without_redis_seconds": round(self.calls.slowest_away_seconds, 2),
            "drain_seconds": self.verdict.drain_seconds,
            "end_seconds": self.verdict.end_seconds,
            "worst_recovery_seconds": round(seconds, 2),
            "worst_recovery_kind": kind,
            "recovery_seconds_by_kind": self.find_worst_by_kind(),
            "failures": self.list_failures()[:200],
            "history": [
                {**asdict(entry), "recovery_seconds": self.recovery.get(entry.fault.number)} for entry in self.faults
            ],
        }

    def to_lines(self) -> list[str]:
        """For a terminal."""
        verdict, injected, missed = self.verdict, self.count("injected"), self.count("missed")
        worst = self.find_worst_by_kind()
        lines = [f"{'fault':34} {'injected':>8} {'missed':>7} {'worst recovery':>15}"]
        planned = {entry.fault.kind for entry in self.faults}
        for kind in KINDS:
            if kind.name in self.refusals:
                lines.append(f"{kind.name:34}  skipped: {self.refusals[kind.name]}")
            elif kind.name in planned:
                recovery = f"{worst[kind.name]:.2f} s" if kind.name in worst else "-"
                lines.append(f"{kind.name:34} {injected[kind.name]:8} {missed[kind.name]:7} {recovery:>15}")
        slowest, seconds = self.find_worst()
        drained = "not drained" if verdict.drain_seconds is None else f"drained in {verdict.drain_seconds:.1f} s"
        done = "not done" if verdict.end_seconds is None else f"done {verdict.end_seconds:.1f} s after the last fault"
        states = ", ".join(f"{count} {state}" for state, count in sorted(verdict.states.items()))
        deaths = f"{verdict.deaths_of_processes} deaths of processes"
        lines += [
            f"seed {self.seed}: {sum(injected.values())} faults in {self.minutes:g} minutes, {deaths}",
            f"jobs {verdict.jobs} ({states}), {verdict.executions} executions, backlog {drained}, load {done}",
            self.calls.to_line(),
            f"lost {verdict.lost}, duplicated effects {verdict.duplicated_effects}",
            f"worst recovery {seconds:.2f} s ({slowest})",
        ]
        failures = self.list_failures()
        lines += [f"  FAILED {failure}" for failure in failures[:40]]
        lines.append("every invariant holds" if not failures else f"{len(failures)} failures")
        return lines
