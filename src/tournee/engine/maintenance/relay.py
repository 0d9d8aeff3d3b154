"""The relay: fills each queue's window in Redis from the ledger.

Keeps invariants 5 and 11: marks commit before anything is added, no transaction is open while talking to Redis, and
what Redis did not take goes back. A relay that dies between mark and add leaves its rows to the comparison.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog

from tournee.engine.core.breaker import BreakerState
from tournee.engine.core.job import Dispatchable, QueueName
from tournee.engine.maintenance.reconciler import Reconciler
from tournee.engine.maintenance.settings import EngineSettings
from tournee.engine.ports import (
    NOBODY,
    Broker,
    Gate,
    JobStore,
    LedgerContended,
    LedgerUnavailable,
    Marked,
    Observer,
    Room,
)

log = structlog.get_logger(__name__)

ROUNDS = 8
"""How often one run fills again when a round brought less than was needed: a share of each tenant leaves rests."""
AGAIN_SECONDS = 0.02
"""How soon a limited queue is looked at again, at the soonest."""


class Relay:
    """Fills the window of one queue."""

    def __init__(
        self,
        queue: QueueName,
        store: JobStore,
        broker: Broker,
        reconciler: Reconciler,
        settings: EngineSettings,
        observer: Observer = NOBODY,
    ) -> None:
        self.queue = queue
        self._store = store
        self._broker = broker
        self._reconciler = reconciler
        self._window = settings.window
        self._breakers = settings.breakers
        self._observer = observer
        self._limit = 0
        self._settled = 0
        self._may_lack = True
        self._limited = False
        self._alarm: asyncio.TimerHandle | None = None
        self.wake: Callable[[], None] = lambda: None
        """Called when there is something to do that nothing nudges for: a token has come."""

    @property
    def limit(self) -> int:
        """How many jobs the window may hold, as of the last look; 0 while nothing may be dispatched."""
        return self._limit

    def note_settled(self, count: int) -> bool:
        """Count what this process has settled since the last fill; True when half of the window is gone and the ledger
        may hold more. Where a limit holds rows back, each one that is settled may make room for the next, and so it is
        in every process: the one that settled it tells its own relay, whichever relay filled the window.
        """
        self._settled += count
        return self._limited or (self._may_lack and self._settled * 2 >= self._limit)

    async def fill(self) -> int:
        """One run: see that Redis is the one we know, then dispatch what the window lacks. Answers how many."""
        self._settled = 0
        # One after the other: an epoch that is renewed in between is seen as a mismatch, which the renewal looks into.
        depth = await self._broker.read_depth(self.queue)
        gate = await self._store.read_gate(self.queue)
        if depth.epoch != gate.epoch:
            await self._reconciler.recover(self.queue, depth.epoch)
        room = await self._find_room(gate)
        self._may_lack, self._limit = room is not None, room.limit if room else 0
        self._limited = gate.limited and room is not None
        dispatched = 0
        for _ in range(ROUNDS if room else 0):
            assert room is not None
            marked = await self._store.mark_queued(self.queue, room)
            self._may_lack = len(marked.jobs) >= marked.wanted
            self._set_alarm(marked)
            if not marked.jobs:
                break
            await self._add(marked.jobs)
            dispatched += len(marked.jobs)
            if self._may_lack:
                break
        return dispatched

    def _set_alarm(self, marked: Marked) -> None:
        """Look again when a token comes, or when another relay that looked too early has done."""
        if marked.busy and not self._limited:
            return
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        seconds = AGAIN_SECONDS if marked.busy else marked.token_seconds
        if seconds is not None:
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_later(max(seconds, AGAIN_SECONDS), self.wake)

    async def _find_room(self, gate: Gate) -> Room | None:
        """How much may be in flight now; None: nothing may be dispatched."""
        if gate.paused:
            return None
        limit = self._window.limit(gate.concurrency, gate.consumed_per_second)
        if gate.concurrency_limit is not None:
            limit = min(limit, gate.concurrency_limit)
        match BreakerState(gate.breaker):
            case BreakerState.CLOSED:
                ramp = self._breakers.ramp_limit(gate.closed_for_seconds)
                if ramp is not None and ramp < limit:
                    return Room(ramp)
                return Room(limit, self._window.urgent_reserve)
            case BreakerState.OPEN:
                if not gate.breaker_due or gate.provider is None:
                    return None
                await self._store.half_open_breaker(gate.provider)
                return Room(min(limit, self._breakers.probes), provider=gate.provider)
            case BreakerState.HALF_OPEN:
                return Room(min(limit, self._breakers.probes), provider=gate.provider)

    async def _add(self, jobs: Sequence[Dispatchable]) -> None:
        began = time.perf_counter()
        try:
            await self._broker.add(self.queue, jobs)
        except Exception:
            # Some may have been added: their rows move on to another dispatch, and the entries find no row to claim.
            try:
                await self._store.return_queued([job.id for job in jobs])
            except (LedgerUnavailable, LedgerContended) as error:
                log.warning("marked rows left to the comparison", queue=self.queue, rows=len(jobs), error=str(error))
            raise
        self._observer.note_dispatched(jobs, time.perf_counter() - began)
