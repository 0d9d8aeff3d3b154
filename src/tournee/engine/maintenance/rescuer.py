"""The rescuer: gives back what dead workers left running.

Keeps invariants 1 and 9. Who is dead is decided in `core.liveness` from what this process itself saw; a supervisor's
report counts at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import structlog

from tournee.engine.core.job import WorkerId
from tournee.engine.core.liveness import WorkerObserver, union
from tournee.engine.ports import NOBODY, DeathHook, JobStore, LedgerContended, LedgerUnavailable, Observer, Rescued

log = structlog.get_logger(__name__)

BATCH = 500


class Rescuer:
    """Looks at the heartbeats and rescues, one look at a time."""

    def __init__(
        self,
        store: JobStore,
        lease_seconds: float,
        on_dead: Callable[[str], DeathHook | None],
        observer: Observer = NOBODY,
    ) -> None:
        self._store = store
        self._on_dead = on_dead
        self._told = observer
        self._observer = WorkerObserver(lease_seconds, longest_gap_seconds=lease_seconds / 2)

    def forget(self) -> None:
        """What was seen counts for nothing any more: a write of ours failed."""
        self._observer.forget()

    async def rescue(self, *, leads: bool = True) -> Rescued:
        """One look: rescue what the dead left, and forget them. Raises `LedgerUnavailable`.

        A process that does not lead only looks, so that it knows who is dead when the leader died with them.
        """
        try:
            workers = await self._store.read_workers()
            now = asyncio.get_running_loop().time()
            reported = [worker.id for worker in workers if worker.reported_dead]
            stale = self._observer.observe({w.id: w.beat for w in workers if not w.reported_dead}, now)
            dead = union(reported, stale)
            if not leads:
                return Rescued([], [])
            rescued = await self._rescue_all(dead)
        except (LedgerUnavailable, LedgerContended):
            self.forget()
            raise
        if dead:
            await self._store.forget_workers(dead)
            log.warning("workers are dead", workers=len(dead), jobs=len(rescued.returned), buried=len(rescued.dead))
        elif self._observer.suspects_mass_death:
            log.error("more than half of the workers are stale: waiting one more lease before any rescue")
        return replace(rescued, workers=len(dead))

    async def _rescue_all(self, dead: list[WorkerId]) -> Rescued:
        whole = Rescued([], [])
        while True:
            part = await self._store.rescue_jobs(dead, self._on_dead, BATCH)
            self._tell(part)
            whole = Rescued([*whole.returned, *part.returned], [*whole.dead, *part.dead])
            if len(part.returned) + len(part.dead) < BATCH:
                return whole

    def _tell(self, part: Rescued) -> None:
        if part.returned:
            self._told.note_rescued(len(part.returned))
        for dead in part.dead:
            self._told.note_dead(dead)
