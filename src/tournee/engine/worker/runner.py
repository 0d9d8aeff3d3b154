"""One queue in one process: holds at most `concurrency` jobs, from the claim until BullMQ was told.

Owns the tasks of its jobs. Claims only what can start at once; jobs of a batch handler that came with one fetch run
together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import structlog

from tournee.engine.core.job import ClaimedJob, JobId, QueueName, WorkerId
from tournee.engine.ports import Broker, Finished, HeldClaim, JobStore, LedgerContended, LedgerUnavailable
from tournee.engine.registry import Registry
from tournee.engine.worker.executor import Executor
from tournee.engine.worker.fetcher import Fetcher, FetcherSettings
from tournee.engine.worker.held import Held, HeldJobs, StopReason
from tournee.engine.worker.settler import Settled
from tournee.engine.worker.units import form_units

log = structlog.get_logger(__name__)

LOOKS = 2
"""Two heartbeats in a row must agree before a difference between ledger and process counts: what is running under our
id and not held is given back, what is held and not running is stopped."""


CLAIM_SECONDS = 2.0
"""How long a claim under way is waited for at shutdown, whatever the grace: what it brings must be given back."""
CANCEL_SECONDS = 5.0
"""How long a cancelled handler may take to end, at shutdown."""


@dataclass(frozen=True, slots=True)
class RunnerSettings:
    """One queue's share of a worker."""

    queue: QueueName
    concurrency: int
    deadline_grace: timedelta = timedelta(seconds=30)
    on_settled: Callable[[QueueName, int], None] = lambda _queue, _count: None
    """Called when jobs of the queue were settled: its window is so much emptier."""


class Runner:
    """Fetcher and executor of one queue."""

    def __init__(
        self,
        settings: RunnerSettings,
        store: JobStore,
        broker: Broker,
        registry: Registry,
        executor: Executor,
        worker_id: Callable[[], WorkerId],
    ) -> None:
        self.settings = settings
        self._store = store
        self._broker = broker
        self._registry = registry
        self._executor = executor
        self._held = HeldJobs()
        self._units: set[asyncio.Task[None]] = set()
        self._arrivals: list[Held] = []
        self._finished_since = 0
        deadline = registry.longest_time_limit(settings.queue) + settings.deadline_grace
        fetcher_settings = FetcherSettings(settings.queue, deadline)
        self._fetcher = Fetcher(fetcher_settings, store, broker, self._room, self._start, worker_id)
        self._pump: asyncio.Task[None] | None = None

    @property
    def held(self) -> int:
        return len(self._held)

    def start(self) -> None:
        """Begin to fetch."""
        self._pump = asyncio.create_task(self._fetcher.run())

    def take_finished_count(self) -> int:
        """How many jobs were finished since the last call."""
        count, self._finished_since = self._finished_since, 0
        return count

    async def drain(self, until: float) -> None:
        """Fetch no more, wait for running handlers until the loop's time `until`, then cancel and release the rest."""
        loop = asyncio.get_running_loop()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(CLAIM_SECONDS, until - loop.time())):
                await self._fetcher.stop_fetching()
        # The jobs that a last claim brought are started by a callback of the loop.
        await asyncio.sleep(0)
        while self._units and loop.time() < until:
            await asyncio.wait(self._units, timeout=max(0.0, until - loop.time()))
        for held in self._held:
            held.stop(StopReason.SHUTDOWN)
        if self._units:
            await asyncio.wait(self._units, timeout=CANCEL_SECONDS)
        await self._abandon()
        if self._pump is not None:
            self._pump.cancel()
            with suppress(asyncio.CancelledError):
                await self._pump
        await self._fetcher.flush()

    async def _abandon(self) -> None:
        """Release what a handler that refuses to stop still holds; the lease keeps it from writing anything."""
        left = [held for held in self._held if not held.settled]
        if left:
            log.error("handlers refuse to stop", queue=self.settings.queue, jobs=[held.job.id.job_id for held in left])
            with suppress(LedgerUnavailable, LedgerContended):
                await self._store.put_off_jobs([held.job for held in left], timedelta(0))
        for held in left:
            self._fetcher.finish(Finished(held.job.id, held.token, succeeded=True, kept=False))

    def lose_all(self) -> None:
        """This process was declared dead: nothing it holds is its own any more."""
        for held in self._held:
            held.stop(StopReason.LEASE_LOST)

    async def extend_locks(self, duration_ms: int) -> None:
        """Renew BullMQ's locks. A lost one is no matter: the ledger's lease decides, the lock only informs."""
        locks = {held.job.id: held.token for held in self._held if not held.settled}
        if locks:
            await self._broker.extend_locks(self.settings.queue, locks, duration_ms)

    def stop_jobs(self, job_ids: Collection[JobId]) -> None:
        """Stop what an operator asked to cancel."""
        for held in self._held:
            if held.job.id.job_id in job_ids:
                held.stop(StopReason.CANCEL_REQUESTED)

    def snapshot(self) -> list[Held]:
        """What is held now, to be compared with a list that the ledger gives afterwards."""
        return [held for held in self._held if not held.settled]

    def compare(self, before: Sequence[Held], claims: Mapping[tuple[JobId, int], HeldClaim]) -> None:
        """Stop what the ledger says is not ours any more, and what an operator asked to cancel."""
        for held in before:
            claim = claims.get((held.job.id.job_id, held.job.lease))
            if held.settled:
                continue
            # A completion that was committed a moment ago is not in the list either, so one look proves nothing.
            held.missing_looks = held.missing_looks + 1 if claim is None else 0
            if claim is None and held.missing_looks >= LOOKS:
                log.warning("lease lost", queue=self.settings.queue, job=held.job.id.job_id, lease=held.job.lease)
                held.stop(StopReason.LEASE_LOST)
            elif claim is not None and claim.cancel_requested:
                held.stop(StopReason.CANCEL_REQUESTED)

    def holds(self, claim: HeldClaim) -> bool:
        """Whether we know of this running row: we hold it, or are about to."""
        return self._held.find(claim.job_id, claim.lease) is not None or self._fetcher.is_claiming(claim.job_id)

    # --- inside

    def _room(self) -> int:
        return self.settings.concurrency - len(self._held)

    def _start(self, job: ClaimedJob, token: str) -> None:
        held = Held(job, token)
        self._held.add(held)
        if not self._arrivals:
            # Jobs that one claim brought are started together, so that a batch handler gets them as one.
            asyncio.get_running_loop().call_soon(self._start_arrivals)
        self._arrivals.append(held)

    def _start_arrivals(self) -> None:
        arrivals, self._arrivals = self._arrivals, []
        for unit in form_units(arrivals, self._registry):
            task = asyncio.create_task(self._run_unit(unit))
            for held in unit:
                held.task = task
            self._units.add(task)
            task.add_done_callback(self._units.discard)

    async def _run_unit(self, unit: Sequence[Held]) -> None:
        try:
            for settled in await self._executor.execute(unit):
                self._fetcher.finish(_to_finished(settled))
        finally:
            for held in unit:
                self._held.remove(held)
        self._finished_since += len(unit)
        self.settings.on_settled(self.settings.queue, len(unit))


def _to_finished(settled: Settled) -> Finished:
    job = settled.held.job
    return Finished(
        job.id,
        settled.held.token,
        succeeded=settled.dead is None and settled.failed_reason is None,
        kept=settled.completed or settled.dead is not None,
        return_value=None,
        failed_reason=settled.failed_reason,
        stack_trace=[settled.stack] if settled.stack else [],
    )
