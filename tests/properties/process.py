"""A worker process driven by hand: the real `Worker` without its background tasks, its handlers waiting for a verdict.

Owns when a process fetches, beats, stops or dies. What it writes goes through the wrappers that lose answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from tests.properties.faults import FaultPlan, FaultyBroker, FaultyStore
from tests.support.invariants import insert_effect
from tests.support.invariants.evidence import Start
from tournee.engine.client import Job, Payload, ProviderUnavailable, Registry, RetryPolicy, Snooze, Worker
from tournee.engine.client import WorkerSettings as Settings
from tournee.engine.core.job import JobId, QueueName
from tournee.engine.ports import Broker, BrokerUnavailable, JobStore, LedgerContended, LedgerUnavailable
from tournee.engine.worker.runner import Runner

WORK, FOLLOW, FREE = QueueName("work"), QueueName("follow"), QueueName("free")
QUEUES = (WORK, FOLLOW, FREE)
PROVIDER = "provider"
CONCURRENCY = 4
LATER = timedelta(hours=1)
"""Whatever is put off comes back only once a test lets time pass."""
PATIENT = RetryPolicy(base=LATER, factor=1.0, jitter=0.0)


class Letter(Payload, queue="work", kind="letter"):
    """A job with an effect and, where it says so, a follow-up job."""

    n: int
    who: str = ""
    follow_ups: int = 0

    def key(self) -> str:
        return str(self.n)

    def tenant(self) -> str:
        return self.who


class Answer(Payload, queue="follow", kind="answer"):
    """A follow-up job. Its key holds the lease, so that a second one would be seen."""

    parent: int
    lease: int

    def key(self) -> str:
        return f"{self.parent}-{self.lease}"


class Free(Payload, queue="free", kind="free"):
    """An effect-free job."""

    n: int

    def key(self) -> str:
        return str(self.n)


class Process:
    """One worker process. `killed`: it does nothing any more, and what it held is still running in the ledger."""

    def __init__(self, store: JobStore, broker: Broker, plan: FaultPlan, note_start: Callable[[Start], None]) -> None:
        self.store = FaultyStore(store, plan)
        self.broker = FaultyBroker(broker, plan)
        self.waiting: dict[tuple[int, int], asyncio.Future[str]] = {}
        """Handlers that wait for their verdict, by job and lease."""
        self._note_start = note_start
        settings = Settings(dict.fromkeys(QUEUES, CONCURRENCY), lock_duration_ms=600_000)
        ledger: Any = self.store
        dispatcher: Any = self.broker
        self.worker = Worker(settings, ledger, dispatcher, self.build_registry())
        self.last_beat = 0.0

    def build_registry(self) -> Registry:
        registry = Registry()
        registry.declare_queue(WORK, provider=PROVIDER)
        limit = timedelta(days=30)
        registry.add(Letter, self._handle, retry=PATIENT, time_limit=limit)
        registry.add(Answer, self._handle, retry=PATIENT, time_limit=limit)
        registry.add(Free, self._handle, retry=PATIENT, time_limit=limit, effect_free=True)
        return registry

    @property
    def id(self) -> UUID:
        return self.worker.id

    @property
    def held(self) -> frozenset[tuple[int, int]]:
        """What this process believes to run, by job and lease."""
        return frozenset((held.job.id.job_id, held.job.lease) for runner in self._runners for held in runner.snapshot())

    @property
    def _runners(self) -> list[Runner]:
        return self.worker._runners

    # --- act

    async def register(self) -> None:
        await self.worker._register(self.worker.id)
        self._note_beat()

    def has_to_tell(self, queue: QueueName) -> bool:
        """Whether Redis does not know yet of something that this process finished."""
        return bool(self._find_runner(queue)._fetcher._finished)

    async def fetch(self, queue: QueueName, count: int) -> None:
        """One exchange, as the pump makes it; `broker.handed_out` tells what it brought."""
        runner = self._find_runner(queue)
        self.broker.handed_out = []
        with suppress(BrokerUnavailable):
            await runner._fetcher._exchange(max(0, min(runner._room(), count)))
        await self.come_to_rest()

    async def finish(self, job: tuple[int, int], verdict: str) -> None:
        """Let a handler go on, and wait until its outcome is written or given up."""
        self.waiting[job].set_result(verdict)
        await self._wait_until(lambda: not any(runner._held.find(JobId(job[0]), job[1]) for runner in self._runners))
        await self.come_to_rest()

    async def beat(self) -> None:
        before = self.worker.id
        try:
            await self.worker._beat()
            self._note_beat()
        except (LedgerUnavailable, LedgerContended):
            if self.worker.id != before:
                self._note_beat()
        await self.come_to_rest()

    async def stop(self) -> None:
        await self.worker.stop(grace_seconds=0)

    async def bury(self) -> None:
        """The end of an example: what a killed process left in this one's memory goes, and writes nothing."""
        self.store.killed = True
        tasks = [task for runner in self._runners for task in runner._units]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- inside

    def _find_runner(self, queue: QueueName) -> Runner:
        [runner] = [runner for runner in self._runners if runner.settings.queue == queue]
        return runner

    def _note_beat(self) -> None:
        self.last_beat = asyncio.get_running_loop().time()

    async def come_to_rest(self) -> None:
        """Wait until each job that is held waits for its verdict, or for its turn behind a suspect."""
        await self._wait_until(self._is_at_rest)

    def _is_at_rest(self) -> bool:
        gate = self._runners[0]._executor._gate
        behind = sum(not waiter.done() for waiter in gate._waiters)
        units = sum(len(runner._units) + len(runner._arrivals) for runner in self._runners)
        return units == behind + sum(not future.done() for future in self.waiting.values())

    async def _wait_until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(600):
            while not condition():  # noqa: ASYNC110  # The engine's inside sets no event for this.
                await asyncio.sleep(0.005)

    async def _handle(self, job: Job[Any]) -> None:
        claimed = job.claimed
        place = (claimed.id.job_id, claimed.lease)
        self._note_start(Start(*place, claimed.started_at))
        self.waiting[place] = asyncio.get_running_loop().create_future()
        try:
            verdict = await self.waiting[place]
        finally:
            del self.waiting[place]
        await self._perform(job, verdict)

    async def _perform(self, job: Job[Any], verdict: str) -> None:
        match verdict:
            case "fail":
                raise ValueError("no")
            case "snooze":
                raise Snooze(LATER)
            case "park":
                raise ProviderUnavailable(PROVIDER, "down")
            case _:
                pass
        if isinstance(job.payload, Free):
            if verdict == "fail in the transaction":
                raise ValueError("no")
            return
        if verdict == "complete after a step":
            async with job.step() as tx:
                await tx.connection.execute("SELECT 1")
        async with job.transaction() as tx:
            await insert_effect(tx.connection, job.id, job.claimed.lease)
            if getattr(job.payload, "follow_ups", 0):
                await tx.enqueue(Answer(parent=job.id, lease=job.claimed.lease))
            if verdict == "fail in the transaction":
                raise ValueError("no, after the effect")
