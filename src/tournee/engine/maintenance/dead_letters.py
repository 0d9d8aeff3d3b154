"""The `deadLetters` queue and BullMQ's failed sets: a bounded projection of the ledger's dead rows.

Keeps invariant 10: a crash or a flush loses no dead letter, since the row itself is the letter; here it is only shown.
"""

from __future__ import annotations

from tournee.engine.core.job import DEAD_LETTERS
from tournee.engine.ports import Broker, DeadQuery, JobStore

KEPT = 2_000
"""How many of the latest dead letters Redis shows."""
UNCHANGED_RUNS = 15
"""So many runs in a row may trust the counts; then all is compared, for what a hand moved in Redis."""


class DeadLetterProjection:
    """Makes Redis show the latest dead letters."""

    def __init__(self, store: JobStore, broker: Broker) -> None:
        self._store = store
        self._broker = broker
        self._shown = ""
        self._trusted = 0

    async def project(self) -> tuple[int, int]:
        """One run; answers (added, removed)."""
        _, fingerprint = await self._store.read_dead_fingerprint()
        dead = await self._store.list_dead(DeadQuery(limit=KEPT))
        counts = await self._broker.project_dead(dead, KEPT)
        self._shown, self._trusted = fingerprint, 0
        return counts

    async def project_changes(self) -> None:
        """A run that reads the letters only if one came or went, or Redis shows another number of them."""
        letters, fingerprint = await self._store.read_dead_fingerprint()
        depth = await self._broker.read_depth(DEAD_LETTERS)
        changed = fingerprint != self._shown or depth.waiting != min(letters, KEPT)
        self._trusted += 1
        if changed or self._trusted > UNCHANGED_RUNS:
            await self.project()
