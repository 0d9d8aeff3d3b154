"""The public face of the engine: declare, enqueue, start, look, act.

An application builds one `Engine` per process, enqueues inside its own transactions, and starts a `Worker` where jobs
shall run. Everything else of this package is inside.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

from tournee.db.pool import Connection, Pool
from tournee.engine.core.errors import (
    EngineError,
    InvalidPayload,
    InvalidSchedule,
    LeaseLost,
    ProviderUnavailable,
    Snooze,
    UnknownQueue,
)
from tournee.engine.core.job import DeadJob, Enqueued, JobId, JobState, Priority, QueueName, WorkerId
from tournee.engine.core.limits import QueueLimits, Rate
from tournee.engine.core.payload import Payload
from tournee.engine.core.retry import RetryPolicy
from tournee.engine.core.schedule import Firing, Missed, ScheduleRow
from tournee.engine.maintenance.crew import Crew, CrewTools
from tournee.engine.maintenance.dead_letters import DeadLetterProjection
from tournee.engine.maintenance.reconciler import Comparison, Reconciler
from tournee.engine.maintenance.relay import Relay
from tournee.engine.maintenance.service import Service, drop_answer
from tournee.engine.maintenance.settings import EngineSettings
from tournee.engine.overview import Overview
from tournee.engine.ports import (
    AttemptRow,
    Broker,
    BrokerDepth,
    BrokerUnavailable,
    DeadQuery,
    JobQuery,
    JobRow,
    LedgerContended,
    LedgerUnavailable,
    Observer,
    Operator,
    ProviderRow,
    QueueOverview,
    QueueStatus,
    RunOutcome,
    Transaction,
    WorkerRow,
    gather_observers,
)
from tournee.engine.postgres.enqueue import EnqueueTransaction, open_transaction
from tournee.engine.postgres.store import PostgresJobStore
from tournee.engine.registry import HandlerOptions, Registry
from tournee.engine.schedules import Schedules
from tournee.engine.worker.context import Batch, Job
from tournee.engine.worker.worker import Worker, WorkerSettings

__all__ = [
    "AttemptRow",
    "Batch",
    "BrokerDepth",
    "BrokerUnavailable",
    "Comparison",
    "DeadJob",
    "DeadQuery",
    "Engine",
    "EngineError",
    "EngineSettings",
    "Enqueued",
    "Firing",
    "HandlerOptions",
    "InvalidPayload",
    "InvalidSchedule",
    "Job",
    "JobId",
    "JobQuery",
    "JobRow",
    "JobState",
    "LeaseLost",
    "LedgerContended",
    "LedgerUnavailable",
    "Missed",
    "Observer",
    "Operator",
    "Payload",
    "Priority",
    "QueueLimits",
    "Rate",
    "ProviderRow",
    "ProviderUnavailable",
    "QueueName",
    "QueueOverview",
    "QueueStatus",
    "Registry",
    "RetryPolicy",
    "RunOutcome",
    "ScheduleRow",
    "Snooze",
    "Transaction",
    "UnknownQueue",
    "Worker",
    "WorkerRow",
    "WorkerSettings",
]


class Engine:
    """One per process. Opens nothing of its own: pool and broker are handed in, and closed by whoever opened them."""

    def __init__(
        self,
        pool: Pool,
        broker: Broker,
        registry: Registry,
        settings: EngineSettings | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.settings = settings or EngineSettings()
        self._observer = gather_observers(observers)
        self.registry = registry
        self.store = PostgresJobStore(pool, self.settings.breakers)
        self.store.session.on_enqueued = self._nudge_queues
        self.store.session.observer = self._observer
        self.broker = broker
        self._holder = WorkerId(uuid4())
        self._reconciler = Reconciler(self.store, broker, self.settings.compare_seconds / 2)
        self._projection = DeadLetterProjection(self.store, broker)
        self._overview = Overview(self.store, broker)
        self.schedules = Schedules(self.store)
        self._relays: dict[QueueName, Relay] = {}
        self._fills: dict[QueueName, Service] = {}
        self._services: list[Service] = []
        self._crew: Crew | None = None
        self._workers: list[Worker] = []

    # --- life

    async def declare(self) -> None:
        """Make the registry's queues and schedules known to the ledger. Commits."""
        await self.store.declare_queues(self.registry.queues)
        await self.store.declare_schedules(self.registry.schedules)

    async def start(self) -> None:
        """Declare the queues, start the relay of each and, where this process maintains, the other services."""
        await self.declare()
        for name in (queue.name for queue in self.registry.queues):
            relay = Relay(name, self.store, self.broker, self._reconciler, self.settings, self._observer)
            fill = Service(f"relay {name}", drop_answer(relay.fill), self.settings.look_seconds, pause_seconds=0.004)
            relay.wake = fill.nudge
            self._relays[name], self._fills[name] = relay, fill
        self._crew = self._hire_crew() if self.settings.maintains else None
        self._services = [*self._fills.values(), *(self._crew.services if self._crew is not None else [])]
        for service in self._services:
            service.start()

    async def stop(self) -> None:
        """Stop the services. What they did not do, another process does."""
        await asyncio.gather(*(service.stop() for service in self._services))
        self._services = []
        with suppress(LedgerUnavailable, LedgerContended):
            await self.store.drop_leadership(self._holder)

    def nudge(self, queue: QueueName | None = None) -> None:
        """Something was enqueued or settled: let the relay look now."""
        for name, service in self._fills.items():
            if queue is None or name == queue:
                service.nudge()

    def _nudge_queues(self, queues: AbstractSet[QueueName]) -> None:
        for queue in queues:
            self.nudge(queue)

    def _note_settled(self, queue: QueueName, count: int) -> None:
        relay = self._relays.get(queue)
        if relay is not None and relay.note_settled(count):
            self.nudge(queue)

    def build_worker(self, settings: WorkerSettings) -> Worker:
        """A worker on this engine's stores; one per process. The caller starts and stops it."""
        worker = Worker(settings, self.store, self.broker, self.registry, self._note_settled, self._observer)
        self._workers.append(worker)
        return worker

    # --- enqueue

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A transaction of our own: committed at the end, then the relay is nudged."""
        async with open_transaction(self.store.session) as opened:
            yield opened

    def join(self, connection: Connection) -> Transaction:
        """Enqueue in the caller's open transaction. The relay's poll finds the jobs after the commit, or `nudge()`."""
        return EnqueueTransaction(connection, observer=self._observer)

    # --- look

    async def read_ledger(self) -> Sequence[QueueStatus]:
        """Every queue as the ledger sees it. Counts of finished jobs are as old as they are dear to read."""
        return await self._overview.read_ledger()

    async def read_status(self) -> Sequence[QueueOverview]:
        """Every queue, ledger and Redis side by side."""
        return await self._overview.read_status()

    async def read_workers(self) -> Sequence[WorkerRow]:
        """The processes that announced themselves."""
        return await self.store.read_workers()

    async def read_providers(self) -> Sequence[ProviderRow]:
        """The breakers."""
        return await self.store.read_providers()

    async def list_jobs(self, query: JobQuery) -> Sequence[JobRow]:
        """Ledger rows, the newest first."""
        return await self.store.list_jobs(query)

    async def find_jobs(self, keys: Sequence[tuple[str, str]]) -> Sequence[JobRow]:
        """Ledger rows by (queue, key), oldest first."""
        return await self.store.find_jobs(keys)

    async def show_job(self, job_id: int) -> tuple[JobRow, Sequence[AttemptRow]] | None:
        """One row with its attempts."""
        rows = await self.store.list_jobs(JobQuery(ids=[job_id], limit=1))
        return (rows[0], await self.store.list_attempts([job_id])) if rows else None

    async def list_attempts(self, job_ids: Sequence[int]) -> Sequence[AttemptRow]:
        """The recorded attempts of jobs, oldest first."""
        return await self.store.list_attempts(job_ids)

    async def list_dead(self, query: DeadQuery) -> Sequence[DeadJob]:
        """Dead letters, the latest first."""
        return await self.store.list_dead(query)

    def read_windows(self) -> Mapping[QueueName, int]:
        """How many jobs each queue's window may hold, as this process's relays saw it last; 0: nothing may pass."""
        return {queue: relay.limit for queue, relay in self._relays.items()}

    def read_load(self) -> Mapping[QueueName, tuple[int, int]]:
        """How many jobs this process's workers hold and may hold, by queue."""
        return {queue: load for worker in self._workers for queue, load in worker.read_load().items()}

    # --- act

    async def cancel(self, job_ids: Sequence[int], who: Operator) -> Mapping[JobId, JobState]:
        """Cancel live jobs; running ones are asked to stop. Audited. Answers the state each now has."""
        states = await self.store.cancel_jobs(job_ids, who, self.registry.find_cancel_hook)
        running = {job_id for job_id, state in states.items() if state is JobState.RUNNING}
        for worker in self._workers:
            # Workers of other processes see it at their next heartbeat.
            worker.stop_jobs(running)
        self.nudge()
        return states

    async def redrive(self, job_ids: Sequence[int], who: Operator) -> Sequence[DeadJob]:
        """Dead jobs run again, with fresh budgets and the same id. Audited."""
        jobs = await self.store.redrive_dead(job_ids, who, self.registry.find_redrive_hook)
        self.nudge()
        return jobs

    async def discard(self, job_ids: Sequence[int], who: Operator) -> Sequence[JobId]:
        """Dead jobs become cancelled. Audited."""
        return await self.store.discard_dead(job_ids, who, self.registry.find_cancel_hook)

    async def report_dead(self, pids: Sequence[int], host: str) -> int:
        """A supervisor saw these processes die: their jobs are rescued at once. Answers how many were workers."""
        if (told := await self.store.report_dead_worker(pids, host)) and self._crew is not None:
            self._crew.nudge_rescue()
        return told

    async def pause(self, queue: str, who: Operator) -> bool:
        """Nothing of the queue is dispatched or claimed any more; running jobs go on. False: no such queue."""
        return await self.store.pause_queue(QueueName(queue), True, who)

    async def resume(self, queue: str, who: Operator) -> bool:
        """Undo `pause`."""
        known = await self.store.pause_queue(QueueName(queue), False, who)
        self.nudge()
        return known

    async def reconcile(self) -> Sequence[Comparison]:
        """Compare every queue with Redis now, and repair."""
        reports = [await self._reconciler.compare(queue.name, patient=False) for queue in self.registry.queues]
        await self._projection.project()
        self.nudge()
        return reports

    # --- inside

    def _hire_crew(self) -> Crew:
        tools = CrewTools(
            self.store, self.broker, self.registry, self._reconciler, self._projection, self.nudge, self._observer
        )
        return Crew(tools, self.settings, self._holder)
