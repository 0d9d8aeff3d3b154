"""What a walk did: steps by rule, changes of state, faults that struck. A walk that never came by proves nothing of it.

Owns the counting; deep runs print it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tests.properties.model import View

CAUSES = ("attempt", "crashes", "outages", "snoozes", "cancel_requested", "suspect")
"""What a step raised or set in a row."""


class Tally:
    """Counts over all examples of a test."""

    def __init__(self) -> None:
        self.examples = 0
        self.steps: Counter[str] = Counter()
        self.changes: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    def note_changes(self, before: Mapping[int, View], after: Mapping[int, View]) -> None:
        """Compare two looks."""
        for job_id, now in after.items():
            was = before.get(job_id)
            if was is None:
                self.changes["new"] += 1
                continue
            if was.state != now.state:
                self.changes[f"{was.state} > {now.state}"] += 1
            for cause in CAUSES:
                self.changes[cause] += getattr(now, cause) > getattr(was, cause)

    def to_lines(self) -> list[str]:
        """For a person who ran it deep."""
        return [
            f"{self.examples} examples, {self.steps.total()} steps, {self.faults.total()} faults struck",
            f"steps: {_list(self.steps)}",
            f"changes: {_list(self.changes)}",
            f"faults: {_list(self.faults)}",
        ]


def _list(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common())
