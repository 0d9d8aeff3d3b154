"""Which handler runs which kind of job, and under what limits.

Owns the table that worker, client and bootstrap share: queues, priorities, providers and handlers are declared here
once, in ten lines for a new queue. Refuses two handlers for one kind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict, Unpack

import structlog

from tournee.engine.core.job import DeadJob, QueueName
from tournee.engine.core.limits import NO_LIMITS, QueueLimits
from tournee.engine.core.payload import Payload, read_payload, to_new_job
from tournee.engine.core.retry import RetryPolicy
from tournee.engine.core.schedule import Cron, Firing, Missed, Schedule, check_name
from tournee.engine.ports import DeathHook, QueueDeclaration, Transaction

log = structlog.get_logger(__name__)

Handler = Callable[[Any], Awaitable[None]]
"""Takes a `Job`, or a `Batch` where `batch` is more than 1. Returns nothing; its effects are in its transaction."""


class HandlerOptions(TypedDict, total=False):
    """What can be said of a handler beside its payload type."""

    time_limit: timedelta
    """The handler is cancelled after that, and the attempt has failed."""
    effect_free: bool
    """It writes nothing and enqueues nothing: it may return without a transaction, and is completed in batches."""
    batch: int
    """How many jobs it takes at once; 1: it gets a `Job`, more: a `Batch`."""
    retry: RetryPolicy
    on_dead: DeathHook
    """Runs in the transaction in which a job of this kind dies."""
    on_redrive: DeathHook
    """Runs in the transaction in which an operator redrives it."""
    on_cancelled: DeathHook
    """Runs in the transaction in which an operator cancels or discards it."""


@dataclass(frozen=True, slots=True)
class HandlerSpec:
    """A handler with its options, complete."""

    payload_type: type[Payload]
    handler: Handler
    time_limit: timedelta = timedelta(minutes=2)
    effect_free: bool = False
    batch: int = 1
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    on_dead: DeathHook | None = None
    on_redrive: DeathHook | None = None
    on_cancelled: DeathHook | None = None


class Registry:
    """Handlers by kind, and the queues they serve."""

    def __init__(self) -> None:
        self._handlers: dict[str, HandlerSpec] = {}
        self._queues: dict[QueueName, QueueDeclaration] = {}
        self._schedules: dict[str, Schedule] = {}

    def declare_queue(
        self,
        name: str,
        *,
        priority: str = "medium",
        provider: str | None = None,
        limits: QueueLimits = NO_LIMITS,
    ) -> None:
        """Name a queue, its priority (`high`, `medium`), the provider whose breaker guards it, and what limits it over
        all processes. The ledger holds what is in force: the last declaration, whichever process made it.
        """
        queue = QueueName(name)
        self._queues[queue] = QueueDeclaration(queue, priority, provider, limits=limits)

    def set_max_attempts(self, numbers: Mapping[str, int]) -> None:
        """Attempts in all, by queue, for jobs enqueued from now on; goes before what payload types say."""
        for name, number in numbers.items():
            queue = QueueName(name)
            if queue in self._queues:
                self._queues[queue] = replace(self._queues[queue], max_attempts=number)

    def add(self, payload_type: type[Payload], handler: Handler, **options: Unpack[HandlerOptions]) -> None:
        """Serve jobs of `payload_type` with `handler`. Raises ValueError for a kind that is served already."""
        kind = payload_type.kind
        if kind in self._handlers:
            raise ValueError(f"kind {kind!r} already has the handler {self._handlers[kind].handler!r}")
        queue = payload_type.queue_name
        self._queues.setdefault(queue, QueueDeclaration(queue))
        self._handlers[kind] = HandlerSpec(payload_type, handler, **options)

    def add_schedule(
        self,
        name: str,
        cron: str,
        time_zone: str,
        make_payload: Callable[[Firing], Payload],
        *,
        missed: Missed = Missed.LATEST,
    ) -> None:
        """Enqueue what `make_payload` makes at each instant of a cron expression in an IANA time zone.

        It is called here once for the next instant, to check what it makes, and then inside each firing's transaction.
        Raises `InvalidSchedule`, and ValueError for a name that is declared already.
        """
        if name in self._schedules:
            raise ValueError(f"the schedule {name!r} is declared already")
        instants, now = Cron(cron, time_zone), datetime.now(UTC)
        sample = make_payload(Firing(check_name(name), instants.localise(instants.next_after(now)), now))
        job = to_new_job(sample)
        self._queues.setdefault(job.queue, QueueDeclaration(job.queue))
        self._schedules[name] = Schedule(name, instants, make_payload, job.queue, job.kind, missed)

    def find(self, kind: str) -> HandlerSpec | None:
        """The handler of a kind, if this process has one."""
        return self._handlers.get(kind)

    def knows(self, kind: str) -> bool:
        """Whether this process has a handler for the kind."""
        return kind in self._handlers

    def find_death_hook(self, kind: str) -> DeathHook | None:
        """What runs in the transaction in which a job of this kind dies."""
        spec = self._handlers.get(kind)
        return _bring_up(spec.payload_type, spec.on_dead) if spec and spec.on_dead else None

    def find_redrive_hook(self, kind: str) -> DeathHook | None:
        """What runs in the transaction in which a job of this kind is redriven."""
        spec = self._handlers.get(kind)
        return _bring_up(spec.payload_type, spec.on_redrive) if spec and spec.on_redrive else None

    def find_cancel_hook(self, kind: str) -> DeathHook | None:
        """What runs in the transaction in which a job of this kind is cancelled or discarded."""
        spec = self._handlers.get(kind)
        return _bring_up(spec.payload_type, spec.on_cancelled) if spec and spec.on_cancelled else None

    @property
    def queues(self) -> Sequence[QueueDeclaration]:
        """All declared queues, in the order of their declaration."""
        return list(self._queues.values())

    @property
    def schedules(self) -> Sequence[Schedule]:
        """All declared schedules."""
        return list(self._schedules.values())

    def longest_time_limit(self, queue: QueueName) -> timedelta:
        """The longest time limit of a queue's kinds: what the deadline of a claim is made of."""
        limits = [spec.time_limit for spec in self._handlers.values() if spec.payload_type.queue_name == queue]
        return max(limits, default=timedelta(minutes=2))


def _bring_up(payload_type: type[Payload], hook: DeathHook) -> DeathHook:
    """The hook, called with the payload as the present version has it.

    A payload that can't be brought there, because its upgrade fails or a newer release enqueued it, is handed over as
    it was enqueued, and `version` says which it is: a job must be able to die of just that.
    """

    async def call(transaction: Transaction, job: DeadJob) -> None:
        if job.version != payload_type.version:
            try:
                payload = read_payload(payload_type, job.payload, job.version).model_dump(mode="json")
                job = replace(job, payload=payload, version=payload_type.version)
            except Exception as error:
                log.warning("hook gets an older payload", job=job.job_id, version=job.version, error=str(error))
        await hook(transaction, job)

    return call
