"""A worker process's life: announce, beat, run queues, stop.

Keeps invariants 6 and 8 across the process's life: a fresh id per start, a heartbeat that compares what the ledger
says we run with what we hold, and a shutdown that gives back what it could not finish.
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import structlog

from tournee.engine.core.job import ClaimedJob, DispatchId, JobId, QueueName, WorkerId
from tournee.engine.ports import (
    NOBODY,
    Broker,
    BrokerUnavailable,
    HeldClaim,
    JobStore,
    LedgerContended,
    LedgerUnavailable,
    Observer,
    WorkerRow,
)
from tournee.engine.registry import Registry
from tournee.engine.worker.executor import Executor
from tournee.engine.worker.gate import SuspectGate
from tournee.engine.worker.runner import LOOKS, Runner, RunnerSettings
from tournee.engine.worker.settler import Settler

log = structlog.get_logger(__name__)


BEAT_SECONDS = 2.0
"""How long one beat may take; well below the lease."""


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How a worker process behaves; times in seconds, locks in milliseconds."""

    concurrency: Mapping[str, int]
    """Jobs at once, by queue; a queue that is not named is not served."""
    name: str = field(default_factory=lambda: f"{platform.node()}:{os.getpid()}")
    heartbeat_seconds: float = 0.5
    lock_duration_ms: int = 10_000
    grace_seconds: float = 20.0


class Worker:
    """Serves queues until stopped. One per process."""

    def __init__(
        self,
        settings: WorkerSettings,
        store: JobStore,
        broker: Broker,
        registry: Registry,
        on_settled: Callable[[QueueName, int], None] = lambda _queue, _count: None,
        observer: Observer = NOBODY,
    ) -> None:
        self.settings = settings
        self._store = store
        self._broker = broker
        self._id = WorkerId(uuid4())
        self._settler = Settler(store, registry, observer)
        executor = Executor(store, broker, registry, SuspectGate(), self._settler, observer)
        self._pulse = executor.pulse
        self._runners = [
            Runner(
                RunnerSettings(QueueName(queue), concurrency, on_settled=on_settled),
                store,
                broker,
                registry,
                executor,
                lambda: self._id,
            )
            for queue, concurrency in settings.concurrency.items()
            if concurrency > 0
        ]
        self._tasks: list[asyncio.Task[None]] = []
        self._missing: dict[tuple[JobId, int], int] = {}
        self._stopping = False
        self._last_beat_at = 0.0

    @property
    def id(self) -> WorkerId:
        """Changes when this process was declared dead and went on."""
        return self._id

    async def start(self) -> None:
        """Announce this process in the ledger, then begin to fetch. Raises `LedgerUnavailable`."""
        self._last_beat_at = asyncio.get_running_loop().time()
        await self._register(self._id)
        self._pulse.note_answer(asyncio.get_running_loop().time())
        await self._note_breakers()
        for runner in self._runners:
            runner.start()
        self._tasks = [asyncio.create_task(self._beat_forever()), asyncio.create_task(self._renew_locks_forever())]

    async def stop(self, grace_seconds: float | None = None) -> None:
        """Stop fetching, wait for running handlers up to the grace period, cancel and release the rest."""
        self._stopping = True
        grace = self.settings.grace_seconds if grace_seconds is None else grace_seconds
        until = asyncio.get_running_loop().time() + grace
        await asyncio.gather(*(runner.drain(until) for runner in self._runners))
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        with suppress(LedgerUnavailable, LedgerContended):
            await self._store.forget_workers([self._id])

    def stop_jobs(self, job_ids: Collection[JobId]) -> None:
        """An operator asked to cancel these: stop those that run here."""
        for runner in self._runners:
            runner.stop_jobs(job_ids)

    def read_load(self) -> Mapping[QueueName, tuple[int, int]]:
        """How many jobs are held and how many may be, by queue."""
        return {runner.settings.queue: (runner.held, runner.settings.concurrency) for runner in self._runners}

    async def _register(self, id: WorkerId) -> None:
        now = datetime.now(UTC)
        await self._store.register_worker(
            WorkerRow(
                id=id,
                name=self.settings.name,
                host=platform.node(),
                pid=os.getpid(),
                queues=self._describe_queues(0.0),
                beat=0,
                beat_at=now,
                started_at=now,
                stopping=False,
                reported_dead=False,
            )
        )

    def _describe_queues(self, seconds: float) -> dict[str, dict[str, float]]:
        return {
            runner.settings.queue: {
                "concurrency": runner.settings.concurrency,
                "consumed_per_second": runner.take_finished_count() / seconds if seconds > 0 else 0.0,
            }
            for runner in self._runners
        }

    # --- heartbeat

    async def _beat_forever(self) -> None:
        while True:
            await asyncio.sleep(self.settings.heartbeat_seconds)
            try:
                # A connection that hangs must not take the next beats along.
                async with asyncio.timeout(BEAT_SECONDS):
                    await self._beat()
            except (LedgerUnavailable, LedgerContended, TimeoutError) as error:
                self._pulse.note_silence()
                log.warning("heartbeat not written", error=str(error))
            except Exception:
                self._pulse.note_silence()
                log.exception("heartbeat failed")
            else:
                self._pulse.note_answer(asyncio.get_running_loop().time())

    async def _beat(self) -> None:
        now = asyncio.get_running_loop().time()
        queues = self._describe_queues(now - self._last_beat_at)
        self._last_beat_at = now
        if not await self._store.beat_worker(self._id, queues, self._stopping):
            await self._be_reborn()
            return
        before = {runner: runner.snapshot() for runner in self._runners}
        claims = {(claim.job_id, claim.lease): claim for claim in await self._store.list_claims(self._id)}
        for runner, held in before.items():
            runner.compare(held, claims)
        await self._release_missing(list(claims.values()))
        await self._note_breakers()

    async def _be_reborn(self) -> None:
        """We were declared dead and our jobs rescued: stop them, and go on under a new id."""
        log.error("this worker was declared dead and goes on under a new id", worker=str(self._id))
        # Announced before anything is claimed under it: rows of an unknown worker are rescued at once.
        reborn = WorkerId(uuid4())
        await self._register(reborn)
        for runner in self._runners:
            runner.lose_all()
        self._id = reborn
        self._missing.clear()

    async def _release_missing(self, claims: Sequence[HeldClaim]) -> None:
        """Give back running rows under our id that we do not hold: a claim or an outcome that got lost on the way."""
        unheld = [claim for claim in claims if not any(runner.holds(claim) for runner in self._runners)]
        self._missing = {
            (claim.job_id, claim.lease): self._missing.get((claim.job_id, claim.lease), 0) + 1 for claim in unheld
        }
        lost = [key for key, looks in self._missing.items() if looks >= LOOKS]
        if lost:
            log.warning("released rows that nobody here runs", jobs=[job_id for job_id, _ in lost])
            await self._store.put_off_jobs([_as_claimed(job_id, lease) for job_id, lease in lost], timedelta(0))

    async def _note_breakers(self) -> None:
        self._settler.note_breakers(await self._store.read_providers())

    async def _renew_locks_forever(self) -> None:
        while True:
            await asyncio.sleep(self.settings.lock_duration_ms / 3000)
            for runner in self._runners:
                try:
                    await runner.extend_locks(self.settings.lock_duration_ms)
                except BrokerUnavailable:
                    continue
                except Exception:
                    log.exception("locks not renewed", queue=runner.settings.queue)


def _as_claimed(job_id: JobId, lease: int) -> ClaimedJob:
    """Just enough of a claim to guard a write: id and lease."""
    epoch = datetime.fromtimestamp(0, UTC)
    return ClaimedJob(
        id=DispatchId(job_id, 0),
        queue=QueueName(""),
        key="",
        kind="",
        version=0,
        tenant="",
        payload={},
        lease=lease,
        attempt=0,
        max_attempts=1,
        crashes=0,
        outages=0,
        suspect=False,
        cancel_requested=False,
        created_at=epoch,
        run_at=epoch,
        dispatched_at=epoch,
        started_at=epoch,
        trace_context=None,
    )
