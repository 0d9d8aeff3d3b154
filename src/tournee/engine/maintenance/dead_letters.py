"""The `deadLetters` queue and BullMQ's failed sets: a bounded projection of the ledger's dead rows.

Keeps invariant 10: a crash or a flush loses no dead letter, since the row itself is the letter; here it is only shown.
"""

from __future__ import annotations

from tournee.engine.ports import Broker, DeadQuery, JobStore

KEPT = 2_000
"""How many of the latest dead letters Redis shows."""


class DeadLetterProjection:
    """Makes Redis show the latest dead letters."""

    def __init__(self, store: JobStore, broker: Broker) -> None:
        self._store = store
        self._broker = broker

    async def project(self) -> tuple[int, int]:
        """One run; answers (added, removed)."""
        dead = await self._store.list_dead(DeadQuery(limit=KEPT))
        return await self._broker.project_dead(dead, KEPT)
