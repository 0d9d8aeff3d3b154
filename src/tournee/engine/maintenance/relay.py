"""The relay: fills each queue's window in Redis from the ledger.

Keeps invariants 5 and 11: marks commit before anything is added, no transaction is open while talking to Redis, and what
Redis did not take goes back. A relay that dies between mark and add leaves its rows to the comparison.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from tournee.engine.core.breaker import BreakerPolicy, BreakerState
from tournee.engine.core.job import Dispatchable, QueueName
from tournee.engine.core.window import WindowPolicy
from tournee.engine.maintenance.reconciler import Reconciler
from tournee.engine.ports import Broker, BrokerUnavailable, Gate, JobStore, LedgerContended, LedgerUnavailable

log = structlog.get_logger(__name__)

ROUNDS = 8
"""How often one run fills again when a round brought less than was needed: a share of each tenant leaves rests."""


class Relay:
    """Fills the window of one queue."""

    def __init__(
        self,
        queue: QueueName,
        store: JobStore,
        broker: Broker,
        reconciler: Reconciler,
        window: WindowPolicy,
        breakers: BreakerPolicy,
    ) -> None:
        self.queue = queue
        self._store = store
        self._broker = broker
        self._reconciler = reconciler
        self._window = window
        self._breakers = breakers

    async def fill(self) -> int:
        """One run: see that Redis is the one we know, then dispatch what the window lacks. Answers how many."""
        gate = await self._store.read_gate(self.queue)
        depth = await self._broker.read_depth(self.queue)
        if depth.epoch != gate.epoch:
            await self._reconciler.recover(self.queue, depth.epoch)
            gate = await self._store.read_gate(self.queue)
        dispatched = 0
        for _ in range(ROUNDS):
            need = await self._need(gate)
            if need <= 0:
                break
            jobs = await self._store.mark_queued(self.queue, need, self._window.urgent_reserve)
            if not jobs:
                break
            await self._add(jobs)
            dispatched += len(jobs)
            if len(jobs) >= need:
                break
            gate = await self._store.read_gate(self.queue)
        return dispatched

    async def _need(self, gate: Gate) -> int:
        if gate.paused:
            return 0
        window = self._window.size(gate.concurrency, gate.consumed_per_second)
        need = self._window.need(window, gate.concurrency, gate.inflight)
        match BreakerState(gate.breaker):
            case BreakerState.CLOSED:
                return need
            case BreakerState.OPEN:
                if not gate.breaker_due or gate.provider is None:
                    return 0
                await self._store.half_open_breaker(gate.provider)
                return min(need, self._breakers.probes - gate.inflight)
            case BreakerState.HALF_OPEN:
                return min(need, self._breakers.probes - gate.inflight)

    async def _add(self, jobs: Sequence[Dispatchable]) -> None:
        try:
            await self._broker.add(self.queue, jobs)
        except BrokerUnavailable:
            # Some may have been added: their rows move on to another dispatch, and the entries find no row to claim.
            try:
                await self._store.return_queued([job.id for job in jobs])
            except (LedgerUnavailable, LedgerContended) as error:
                log.warning("marked rows left to the comparison", queue=self.queue, rows=len(jobs), error=str(error))
            raise
