"""How soon after a fault the system works again. Pure but for the one query.

Measured per queue: from the end of the fault until a job is completed that was enqueued after it. A fault's recovery is
that of its slowest queue; queues whose provider is down by another fault are left out.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.nemesis import Injected
from tournee.db.pool import Pool

MEASURED = ("work", "free", "bulk")
COMPLETED = """
SELECT queue, extract(epoch FROM created_at)::float8 AS created, extract(epoch FROM finished_at)::float8 AS finished
FROM engine.jobs WHERE state = 'completed' AND queue = ANY ($1::text[]) ORDER BY created_at
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """Of one queue: when jobs were created, ascending, and the earliest end of those created then or later."""

    created: Sequence[float]
    earliest: Sequence[float]

    def measure(self, at: float) -> float | None:
        """Seconds from `at` until a job was completed that was created after it; None: none was created."""
        place = bisect_right(self.created, at)
        return max(0.0, self.earliest[place] - at) if place < len(self.created) else None


def make_progress(times: Sequence[tuple[float, float]]) -> Progress:
    """From (created, finished), ascending."""
    earliest: list[float] = []
    best = float("inf")
    for _, finished in reversed(times):
        best = min(best, finished)
        earliest.append(best)
    return Progress([created for created, _ in times], earliest[::-1])


async def read_progress(pool: Pool) -> list[Progress]:
    """Of each measured queue."""
    times: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in await pool.fetch(COMPLETED, list(MEASURED)):
        times[row["queue"]].append((row["created"], row["finished"]))
    return [make_progress(times[queue]) for queue in MEASURED]


def measure_recovery(injected: Injected, queues: Sequence[Progress]) -> float | None:
    """Seconds; None where nothing was enqueued after the fault."""
    measured = [seconds for queue in queues if (seconds := queue.measure(injected.ended_at)) is not None]
    return max(measured) if measured else None
