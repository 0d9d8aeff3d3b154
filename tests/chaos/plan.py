"""The plan of a run: which fault, when, on whom. Pure, and a function of seed and length alone.

Each lane walks through all its kinds, shuffled anew in every round, so that the shortest run holds each kind once and
ten minutes hold each three times.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.catalogue import KINDS, Kind, Lane

ROUNDS_IN_TEN_MINUTES = 3
FIRST_SECONDS = 4.0
LAST_SHARE = 0.94
"""The last fault begins before this share of the time is over, so that jobs are still enqueued after it."""
EARLY = frozenset({"unknown-kind"})
"""Kinds that leave jobs waiting for half a minute: never among the last of a round."""


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """One fault. `dice` in [0, 1) chooses among variants; `victims` is a permutation of worker numbers."""

    number: int
    at_seconds: float
    kind: str
    lane: Lane
    dice: float
    victims: tuple[int, ...]

    @property
    def first_variant(self) -> bool:
        """One of two ways to inject it."""
        return self.dice < 0.5


def make_plan(seed: int, minutes: float, workers: int, only: Sequence[str] = ()) -> list[PlannedFault]:
    """All faults of a run, by time. `only`: just these kinds, for looking into one."""
    # Random is seeded with a text, so that neighbouring seeds have nothing in common. It guards no secret.
    dice = random.Random(f"chaos {seed}")
    rounds = max(1, math.ceil(ROUNDS_IN_TEN_MINUTES * minutes / 10))
    seconds = minutes * 60 * LAST_SHARE - FIRST_SECONDS
    drafts: list[tuple[float, Kind, float, tuple[int, ...]]] = []
    for lane in Lane:
        kinds = [kind for kind in KINDS if kind.lane is lane and (not only or kind.name in only)]
        order = [kind for _ in range(rounds) for kind in _shuffle(kinds, dice)]
        for place, kind in enumerate(order):
            at = FIRST_SECONDS + seconds * (place + dice.uniform(0.0, 0.5)) / len(order)
            drafts.append((at, kind, dice.random(), tuple(dice.sample(range(workers), workers))))
    drafts.sort(key=lambda draft: draft[0])
    return [
        PlannedFault(number, round(at, 2), kind.name, kind.lane, roll, victims)
        for number, (at, kind, roll, victims) in enumerate(drafts, start=1)
    ]


def _shuffle(kinds: Sequence[Kind], dice: random.Random) -> list[Kind]:
    shuffled = dice.sample(kinds, len(kinds))
    early = [kind for kind in shuffled if kind.name in EARLY]
    rest = [kind for kind in shuffled if kind.name not in EARLY]
    middle = len(rest) // 2
    return [*rest[:middle], *early, *rest[middle:]]
