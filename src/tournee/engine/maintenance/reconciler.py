"""The reconciler: finds what Redis lost, and what it holds that no row accounts for.

Keeps invariants 11 and 14. Redis lost whole: the sentinel's epoch is missing or another. Lost in part: a periodic
comparison, candidates from the ledger first, then one atomic look at Redis, then a guarded write.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import structlog

from tournee.engine.core.job import DispatchId, JobState, QueueName, parse_token
from tournee.engine.ports import Broker, BrokerSnapshot, JobStore

log = structlog.get_logger(__name__)

ADD_SECONDS = timedelta(seconds=2)
"""How long an add may take: a row queued for less is no candidate, since its relay may be about to add it."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one comparison of a queue found and mended."""

    queue: QueueName
    epoch_renewed: bool
    returned: int
    """Rows that Redis had lost: back to pending."""
    discarded: int
    """Entries that no row accounted for: removed."""
    drift: int
    """Returned and discarded together: 0 when both sides agree."""


class Reconciler:
    """Compares and repairs, one queue at a time."""

    def __init__(self, store: JobStore, broker: Broker, orphan_seconds: float = 0.0) -> None:
        """`orphan_seconds`: how far apart the two looks must be that find an entry orphaned, before it is discarded."""
        self._store = store
        self._broker = broker
        self._orphan_seconds = orphan_seconds
        self._suspects: dict[QueueName, dict[str, float]] = {}

    async def recover(self, queue: QueueName, seen_epoch: int | None) -> int:
        """Redis is not the one the ledger knows: renew the epoch and sweep. Answers how many rows went back."""

        async def read_epoch() -> int | None:
            return (await self._broker.read_depth(queue)).epoch

        async def write_epoch(epoch: int) -> None:
            await self._broker.write_epoch(queue, epoch)

        moved = await self._store.renew_epoch(queue, read_epoch, write_epoch)
        if moved is None:
            return 0
        if moved or seen_epoch is not None:
            log.warning("redis was lost: queue recovered from the ledger", queue=queue, rows=moved)
        else:
            log.info("redis is new: queue bound to its epoch", queue=queue)
        return moved

    async def compare(
        self, queue: QueueName, minimum_age: timedelta = ADD_SECONDS, *, patient: bool = True
    ) -> Comparison:
        """Compare both sides of one queue and repair; exact, and cheap because Redis holds only a window.

        A patient comparison discards only what was found orphaned before, and long enough ago, however close together
        two looks are: a job that was just completed stays in Redis until its worker's next exchange.
        """
        epochs = await self._store.read_epochs()
        candidates = await self._store.list_queued(queue, minimum_age)
        snapshot = await self._broker.snapshot(queue)
        if snapshot.epoch != epochs.get(queue):
            moved = await self.recover(queue, snapshot.epoch)
            return Comparison(queue, True, moved, 0, moved)
        living = await self._without_the_dead(snapshot)
        # What a dead process fetched was added, however short a time ago: it needs no age to be a candidate.
        candidates |= snapshot.present - living.present
        snapshot = living
        returned = len(await self._store.return_queued(sorted(candidates - snapshot.present)))
        discarded = await self._discard_orphans(queue, snapshot, patient)
        if returned or discarded:
            log.warning("drift mended", queue=queue, returned=returned, discarded=discarded)
        return Comparison(queue, False, returned, discarded, returned + discarded)

    async def _without_the_dead(self, snapshot: BrokerSnapshot) -> BrokerSnapshot:
        """What a dead process fetched and never claimed need not wait until its lock runs out. A process announces
        itself before it fetches, so one that fetched before the snapshot and has no row now is gone.
        """
        if not snapshot.holders:
            return snapshot
        alive = {worker.id for worker in await self._store.read_workers() if not worker.reported_dead}
        holders = {token: parse_token(token) for token in snapshot.holders.values()}
        return snapshot.without_holders(lambda token: (holder := holders[token]) is not None and holder not in alive)

    async def discard_leftovers(self, queue: QueueName) -> int:
        """Remove job hashes that stand in no list, found by a slow scan."""
        leftovers = await self._broker.find_leftovers(queue)
        if leftovers:
            await self._broker.discard(queue, leftovers)
        return len(leftovers)

    async def _discard_orphans(self, queue: QueueName, snapshot: BrokerSnapshot, patient: bool) -> int:
        # Looked up after the snapshot: a row that was added since is in the ledger by now.
        entries = sorted(snapshot.present | snapshot.unlocked)
        live = await self._store.list_live_dispatches(entries)
        orphans = {str(entry) for entry in entries if _is_orphan(entry, live.get(entry), snapshot)}
        orphans |= snapshot.foreign
        now = asyncio.get_running_loop().time()
        known = self._suspects.get(queue, {})
        due = {raw_id for raw_id, seen_at in known.items() if now - seen_at >= self._orphan_seconds}
        doomed = sorted(orphans & due if patient else orphans)
        self._suspects[queue] = {raw_id: known.get(raw_id, now) for raw_id in orphans.difference(doomed)}
        if doomed:
            await self._broker.discard(queue, doomed)
        return len(doomed)


def _is_orphan(entry: DispatchId, state: JobState | None, snapshot: BrokerSnapshot) -> bool:
    if state is None:
        return True
    # Fetched, never claimed, and its lock ran out: whoever fetched it is gone. Its row was returned just before.
    return entry in snapshot.unlocked and state is JobState.QUEUED
