"""The pump of one queue: tells BullMQ what is finished, fetches what comes next, claims it.

Keeps invariant 13: what Redis hands out is started only after the ledger gave the row to us. One pipeline does both
directions, so that a busy worker makes one round trip per burst; an idle one blocks on the queue's marker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import structlog

from tournee.engine.core.job import ClaimedJob, DispatchId, JobId, QueueName, WorkerId, make_token
from tournee.engine.ports import (
    Broker,
    BrokerUnavailable,
    Fetched,
    Finished,
    JobStore,
    LedgerContended,
    LedgerUnavailable,
)

log = structlog.get_logger(__name__)

BLOCK_SECONDS = 5.0
MAX_FETCH = 200
"""How many one exchange fetches at most, so that a single slow claim holds back no more than these."""
MAX_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class FetcherSettings:
    """What a fetcher needs to know of its queue; `deadline` is the longest time limit plus grace."""

    queue: QueueName
    deadline: timedelta


class Fetcher:
    """Moves jobs of one queue between BullMQ and this process."""

    def __init__(
        self,
        settings: FetcherSettings,
        store: JobStore,
        broker: Broker,
        room: Callable[[], int],
        start: Callable[[ClaimedJob, str], None],
        worker_id: Callable[[], WorkerId],
    ) -> None:
        self._settings = settings
        self._store = store
        self._broker = broker
        self._room = room
        self._start = start
        self._worker_id = worker_id
        self._finished: list[Finished] = []
        self._wake = asyncio.Event()
        self._drained = asyncio.Event()
        self._has_room = asyncio.Event()
        self._busy = asyncio.Lock()
        self._hint = True
        self._stopping = False
        self._claiming: frozenset[JobId] = frozenset()

    def finish(self, finished: Finished) -> None:
        """Tell BullMQ of a settled job with the next exchange."""
        self._finished.append(finished)
        self._has_room.set()
        self._wake.set()

    async def stop_fetching(self) -> None:
        """Fetch nothing more; returns when a fetch under way has been claimed, so that nothing of it is left behind."""
        self._stopping = True
        self._wake.set()
        async with self._busy:
            pass

    async def run(self) -> None:
        """Pump until cancelled. A store that is away is waited for."""
        watcher = asyncio.create_task(self._watch_marker())
        pause_seconds = 0.05
        try:
            while True:
                try:
                    await self._pump_once()
                    pause_seconds = 0.05
                    continue
                except BrokerUnavailable as error:
                    log.warning("redis is away", queue=self._settings.queue, error=str(error))
                except Exception:
                    # Whatever it was, a queue that nobody pumps any more would be worse: it looks alive.
                    log.exception("the pump failed and goes on", queue=self._settings.queue)
                await asyncio.sleep(pause_seconds)
                pause_seconds = min(pause_seconds * 2, MAX_PAUSE_SECONDS)
        finally:
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher

    def is_claiming(self, job_id: JobId) -> bool:
        """Whether a claim of this row is under way, or its answer was lost and it is being read again."""
        return job_id in self._claiming

    async def flush(self) -> None:
        """Tell BullMQ what is still to be told, once; what can't be told now is found by the comparison."""
        finished, self._finished = self._finished, []
        if finished:
            with suppress(BrokerUnavailable):
                await self._broker.exchange(self._settings.queue, finished, 0, make_token(self._worker_id()))

    async def _pump_once(self) -> None:
        fetch = min(self._room(), MAX_FETCH) if self._hint and not self._stopping else 0
        if not self._finished and fetch <= 0:
            self._wake.clear()
            if not self._finished and not (self._hint and self._room() > 0 and not self._stopping):
                await self._wake.wait()
            return
        async with self._busy:
            await self._exchange(0 if self._stopping else fetch)

    async def _exchange(self, fetch: int) -> None:
        finished, self._finished = self._finished, []
        try:
            fetched = await self._broker.exchange(self._settings.queue, finished, fetch, make_token(self._worker_id()))
        except (BrokerUnavailable, asyncio.CancelledError):
            # Finishing twice does no harm: the second answer is negative and cleans up.
            self._finished = finished + self._finished
            raise
        if len(fetched) < fetch:
            self._hint = False
            self._drained.set()
        if fetched:
            await self._take(fetched)

    async def _take(self, fetched: Sequence[Fetched]) -> None:
        foreign = [entry.raw_id for entry in fetched if entry.id is None]
        if foreign:
            log.warning("discarded entries that no row accounts for", queue=self._settings.queue, ids=foreign[:10])
            # The comparison finds them again; what came with them must be claimed now.
            with suppress(BrokerUnavailable):
                await self._broker.discard(self._settings.queue, foreign)
        tokens = {entry.id: entry.token for entry in fetched if entry.id is not None}
        try:
            claimed = await self._claim(list(tokens))
            for job in claimed:
                self._start(job, tokens[job.id])
        finally:
            self._claiming = frozenset()
        refused = tokens.keys() - {job.id for job in claimed}
        if refused:
            await self._give_back(sorted(refused))
            for entry in refused:
                self.finish(Finished(entry, tokens[entry], succeeded=True, kept=False))

    async def _claim(self, ids: Sequence[DispatchId]) -> list[ClaimedJob]:
        """Claim until the ledger answers. After a lost answer our running rows are read again before anything else."""
        worker, deadline = self._worker_id(), self._settings.deadline
        claimed: list[ClaimedJob] = []
        remaining = list(ids)
        self._claiming = frozenset(entry.job_id for entry in ids)
        doubtful = False
        pause_seconds = 0.05
        while remaining:
            try:
                if doubtful:
                    claimed += await self._store.reread_claims(remaining, worker)
                    remaining = _without(remaining, claimed)
                if remaining:
                    claimed += await self._store.claim_jobs(remaining, worker, deadline)
                    remaining = _without(remaining, claimed)
                if remaining and doubtful:
                    # The claim that was given up may have been executed in between.
                    claimed += await self._store.reread_claims(remaining, worker)
                return claimed
            except (LedgerUnavailable, LedgerContended) as error:
                log.warning("ledger did not answer a claim", queue=self._settings.queue, error=str(error))
                doubtful = True
                await asyncio.sleep(pause_seconds)
                pause_seconds = min(pause_seconds * 2, MAX_PAUSE_SECONDS)
        return claimed

    async def _give_back(self, ids: Sequence[DispatchId]) -> None:
        # Paused, breaker open, or not queued any more: a row that still is goes back to pending before Redis forgets.
        try:
            await self._store.return_queued(ids)
        except (LedgerUnavailable, LedgerContended) as error:
            log.warning("rows left to the comparison", queue=self._settings.queue, rows=len(ids), error=str(error))

    async def _watch_marker(self) -> None:
        """Block on the marker while the queue is drained; wake the pump when something may be there."""
        while True:
            await self._drained.wait()
            # The wait takes the marker away from other processes, so a full one must not have it.
            while self._room() <= 0:
                self._has_room.clear()
                await self._has_room.wait()
            try:
                await self._broker.wait_for_jobs(self._settings.queue, BLOCK_SECONDS)
            except BrokerUnavailable:
                await asyncio.sleep(0.2)
            except Exception:
                log.exception("waiting for jobs failed and goes on", queue=self._settings.queue)
                await asyncio.sleep(MAX_PAUSE_SECONDS)
            # Also after a time-out or an outage: the marker may be gone with everything else, so look without it.
            self._drained.clear()
            self._hint = True
            self._wake.set()


def _without(ids: Sequence[DispatchId], claimed: Sequence[ClaimedJob]) -> list[DispatchId]:
    held = {job.id for job in claimed}
    return [entry for entry in ids if entry not in held]
