"""Runs everything that is due, in the calling process: through the relay's mark and the claim, executor and settler
that workers use, in the order in which one worker would take it.

Keeps: what a run comes to is what it would come to in production, and no job is left claimed. Refuses to go on for
ever.
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from tournee.db.pool import Pool
from tournee.engine.client import Engine, EngineSettings
from tournee.engine.core.job import ClaimedJob, DispatchId, JobId, JobState, QueueName, WorkerId
from tournee.engine.core.window import WindowPolicy
from tournee.engine.maintenance.reconciler import Reconciler
from tournee.engine.maintenance.relay import Relay
from tournee.engine.ports import AttemptRow, JobQuery, LedgerContended, LedgerUnavailable, RunOutcome, WorkerRow
from tournee.engine.registry import Registry
from tournee.engine.testing.broker import LocalBroker
from tournee.engine.testing.report import DrainReport, Run
from tournee.engine.worker.executor import Executor
from tournee.engine.worker.gate import SuspectGate
from tournee.engine.worker.held import Held, StopReason
from tournee.engine.worker.settler import Settled, Settler
from tournee.engine.worker.units import form_units

LIVE = (JobState.PENDING, JobState.QUEUED, JobState.RUNNING)
DEADLINE_GRACE = timedelta(seconds=30)
SHOWN = 20
WINDOW = WindowPolicy(minimum=10_000)
"""All that is due at once: what has run already must not take the place of what has not."""


class StillBusy(AssertionError):
    """More runs than the limit: jobs that enqueue or put off themselves for ever, or a limit that is too low."""


def build_engine(pool: Pool, registry: Registry, settings: EngineSettings | None = None) -> Engine:
    """An engine on a real ledger and without Redis, for tests; the pool stays the caller's."""
    return Engine(pool, LocalBroker(), registry, settings)


async def drain(engine: Engine, queues: Sequence[str] | None = None, limit: int = 1_000) -> DrainReport:
    """Run everything that is due, follow-up jobs too, one run after the other, until nothing is due any more.

    `queues`: only these, else all that the registry declares. What is paused, held back by a breaker or a limit, or not
    due yet stays: `advance` brings it on. A job runs once in a drain: a retry, however soon, is for the next one.
    Raises `StillBusy` after `limit` runs. Beside a running engine it takes only what that one has not taken.
    """
    await engine.declare()
    chosen = [QueueName(queue) for queue in queues] if queues is not None else [q.name for q in engine.registry.queues]
    table = _Table(engine, LocalBroker(await engine.store.read_epochs()), limit)
    await table.sit_down(chosen)
    try:
        while any([await table.work_off(queue) for queue in chosen]):
            pass
    finally:
        await table.clear()
    found = await engine.store.list_jobs(JobQuery(states=LIVE, limit=1_000))
    return DrainReport(table.runs, [job for job in reversed(found) if job.queue in chosen])


class _Table:
    """One drain's share of a worker: its broker, its claims and its runs."""

    def __init__(self, engine: Engine, broker: LocalBroker, limit: int) -> None:
        self.runs: list[Run] = []
        self._engine = engine
        self._store = engine.store
        self._broker = broker
        self._limit = limit
        self._run_already: set[JobId] = set()
        self._worker = WorkerId(uuid4())
        self._heart: asyncio.Task[None] | None = None
        self._settler = Settler(self._store, engine.registry)
        self._executor = Executor(self._store, broker, engine.registry, SuspectGate(), self._settler)

    async def sit_down(self, queues: Sequence[QueueName]) -> None:
        """Announce itself: a claim of nobody would be rescued at once."""
        now = datetime.now(UTC)
        loads: dict[str, dict[str, float]] = {queue: {"concurrency": 1, "consumed_per_second": 0} for queue in queues}
        name, host = "drain", platform.node()
        await self._store.register_worker(
            WorkerRow(self._worker, name, host, os.getpid(), loads, 0, now, now, stopping=False, reported_dead=False)
        )
        self._heart = asyncio.create_task(self._beat_forever(loads))

    async def _beat_forever(self, loads: Mapping[str, Mapping[str, float]]) -> None:
        """Or an engine that runs beside would take a long drain for dead, and rescue what it runs."""
        while True:
            await asyncio.sleep(self._engine.settings.lease_seconds / 10)
            with suppress(LedgerUnavailable, LedgerContended):
                await self._store.beat_worker(self._worker, loads, stopping=False)

    async def clear(self) -> None:
        """Give back what was marked and not run, and leave."""
        if self._heart is not None:
            self._heart.cancel()
            await asyncio.wait({self._heart})
        await self._store.return_queued(self._broker.take_all())
        await self._store.forget_workers([self._worker])

    async def work_off(self, queue: QueueName) -> bool:
        """Mark what is due in one queue, and run it. False: nothing was due but what has run in this drain already."""
        settings = replace(self._engine.settings, window=WINDOW)
        relay = Relay(queue, self._store, self._broker, Reconciler(self._store, self._broker), settings)
        await relay.fill()
        before = len(self.runs)
        while (coming := self._broker.peek(queue)) is not None:
            if len(self.runs) >= self._limit:
                raise StillBusy(self._describe_limit())
            spec = self._engine.registry.find(coming.kind)
            await self._run(queue, self._broker.take(queue, coming.kind, spec.batch if spec else 1))
        return len(self.runs) > before

    async def _run(self, queue: QueueName, ids: Sequence[DispatchId]) -> None:
        deadline = self._engine.registry.longest_time_limit(queue) + DEADLINE_GRACE
        fresh = [id for id in ids if id.job_id not in self._run_already]
        claimed = {job.id: job for job in await self._store.claim_jobs(fresh, self._worker, deadline)}
        self._run_already |= {id.job_id for id in claimed}
        await self._store.return_queued([id for id in ids if id not in claimed])
        self._settler.note_breakers(await self._store.read_providers())
        arrivals = [Held(claimed[id], "drain") for id in ids if id in claimed]
        for unit in form_units(arrivals, self._engine.registry):
            await self._record(await self._execute(unit))

    async def _execute(self, unit: Sequence[Held]) -> list[Settled]:
        """In a task of its own, as a worker does: a cancelled test releases the job and passes its cancellation on."""
        task = asyncio.create_task(self._executor.execute(unit))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            for held in unit:
                held.stop(StopReason.SHUTDOWN)
            task.cancel()
            await asyncio.wait({task})
            raise

    async def _record(self, settled: Sequence[Settled]) -> None:
        jobs = [one.held.job for one in settled]
        attempts = {
            (row.job_id, row.lease): row for row in await self._store.list_attempts([j.id.job_id for j in jobs])
        }
        self.runs += [
            self._describe(job, one.outcome, attempts.get((job.id.job_id, job.lease)))
            for job, one in zip(jobs, settled, strict=True)
        ]

    def _describe(self, job: ClaimedJob, outcome: RunOutcome, attempt: AttemptRow | None) -> Run:
        return Run(
            job.id.job_id,
            job.queue,
            job.kind,
            job.key,
            job.payload,
            job.attempt_number,
            outcome,
            attempt,
            self._broker.progress.get(job.id),
            tuple(self._broker.lines.get(job.id, ())),
        )

    def _describe_limit(self) -> str:
        last = "\n".join(str(run) for run in self.runs[-SHOWN:])
        return f"more than {self._limit} runs, and jobs are still due; the last {SHOWN}:\n{last}"
