"""Faults that strike by count and by chance: what the plans of all simulators share.

A plan holds faults in order; the first that fits is taken and, if it is counted, used up by one. A fault with a
probability draws from the seed, the subject and how often that subject was seen, never from the order of arrival, so
that the same run under another interleaving meets the same faults.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field


class CountedFault(BaseModel):
    """How often a fault strikes; what it does is said by the simulator's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: Annotated[int, Field(ge=1)] | None = None
    """How often; None: until cleared."""
    after: Annotated[int, Field(ge=0)] = 0
    """How many that would fit pass first."""
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0


AnyFault = TypeVar("AnyFault", bound=CountedFault)


class CountedPlan(Generic[AnyFault]):
    """The faults that are set, and what is left of each."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._faults: list[AnyFault] = []
        self._fitted: list[int] = []
        self._taken: list[int] = []
        self._seen: Counter[tuple[int, bytes]] = Counter()

    def put(self, faults: Sequence[AnyFault]) -> None:
        """Replace the plan. An empty sequence ends all misbehaviour."""
        self._faults = list(faults)
        self._fitted = [0] * len(faults)
        self._taken = [0] * len(faults)
        self._seen.clear()

    def read(self) -> list[dict[str, object]]:
        """Each fault with how often it struck."""
        return [fault.model_dump() | {"taken": taken} for fault, taken in zip(self._faults, self._taken, strict=True)]

    def choose(self, fits: Callable[[AnyFault], bool], subject: bytes) -> AnyFault | None:
        """The fault that strikes `subject`, of those that fit it."""
        for number, fault in enumerate(self._faults):
            if not fits(fault) or (fault.count is not None and self._taken[number] >= fault.count):
                continue
            self._fitted[number] += 1
            if self._fitted[number] <= fault.after or not self._draw(number, subject, fault.probability):
                continue
            self._taken[number] += 1
            return fault
        return None

    def _draw(self, number: int, subject: bytes, probability: float) -> bool:
        if probability >= 1:
            return True
        digest = hashlib.sha256(subject).digest()
        self._seen[number, digest] += 1
        ticket = f"{self._seed}:{number}:{self._seen[number, digest]}:".encode() + digest
        return int.from_bytes(hashlib.sha256(ticket).digest()[:8]) / 2**64 < probability
