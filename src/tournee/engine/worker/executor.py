"""Runs a handler: resolve, start, run, classify. What came of it is written by the settler.

Keeps invariants 3 and 6 on the handler's side. Nothing here knows Redis but for progress and log lines.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import assert_never

import structlog

from tournee.engine.core.errors import TransactionMissing, UnknownKind
from tournee.engine.core.job import ClaimedJob
from tournee.engine.core.payload import Payload, read_payload
from tournee.engine.ports import NOBODY, Broker, JobStore, Observer
from tournee.engine.registry import HandlerSpec, Registry
from tournee.engine.worker.completer import Completer
from tournee.engine.worker.context import Batch, Job, TransactionState
from tournee.engine.worker.gate import SuspectGate
from tournee.engine.worker.held import Held, StopReason
from tournee.engine.worker.outcome import (
    Cancelled,
    Completed,
    Failed,
    Lost,
    Outcome,
    Parked,
    Released,
    Returned,
    Unknown,
    classify_error,
    describe_failure,
)
from tournee.engine.worker.settler import Settled, Settler
from tournee.engine.worker.strikes import Pulse, Strikes
from tournee.kit.logs.correlation import correlate
from tournee.kit.trace import trace_id_of

log = structlog.get_logger(__name__)

NO_TRANSACTION = "the handler returned without job.transaction(): use it, or declare the handler effect_free"


class Executor:
    """Runs units of jobs: one job, or the jobs of a batch handler."""

    def __init__(
        self,
        store: JobStore,
        broker: Broker,
        registry: Registry,
        gate: SuspectGate,
        settler: Settler,
        observer: Observer = NOBODY,
    ) -> None:
        self._store = store
        self._observer = observer
        self._broker = broker
        self._registry = registry
        self._gate = gate
        self._settler = settler
        self.pulse = Pulse()
        """Told by whoever writes heartbeats; without any, nothing that the ledger breaks off is held against a job."""
        self._strikes = Strikes(self.pulse)
        self._completer = Completer(store)

    async def execute(self, unit: Sequence[Held]) -> list[Settled]:
        """Run one unit to its end and write its outcomes; answers what BullMQ must be told. Never raises."""
        with correlate(_describe(unit)):
            return await self._execute(unit)

    async def _execute(self, unit: Sequence[Held]) -> list[Settled]:
        for held in unit:
            held.started = True
        self._observer.note_started([held.job for held in unit])
        began = time.perf_counter()
        try:
            outcomes = await self._run_admitted(unit)
        except asyncio.CancelledError:
            uncancel()
            outcomes = [self._explain_cancellation(held) for held in unit]
        except Exception as error:
            log.exception("a run could not be started", job=unit[0].job.id.job_id)
            outcomes = [classify_error(error) for _ in unit]
        seconds = time.perf_counter() - began
        return [await self._settle(held, outcome, seconds) for held, outcome in zip(unit, outcomes, strict=True)]

    async def _settle(self, held: Held, outcome: Outcome, seconds: float) -> Settled:
        self._strikes.note_outcome(held.job, outcome)
        settled = await self._settler.settle(held, outcome)
        failure = outcome.failure if isinstance(outcome, (Failed, Parked)) else None
        self._observer.note_settled(held.job, settled.outcome, seconds, failure)
        return settled

    async def _run_admitted(self, unit: Sequence[Held]) -> list[Outcome]:
        if any(held.stop_reason is not None for held in unit):
            # Stopped before it began.
            return [self._explain_cancellation(held) for held in unit]
        async with self._admission(unit):
            return await self._run_unit(unit)

    def _admission(self, unit: Sequence[Held]) -> AbstractAsyncContextManager[None]:
        return self._gate.alone() if any(held.job.suspect for held in unit) else self._gate.together()

    # --- resolve

    def _resolve(self, job: ClaimedJob) -> tuple[HandlerSpec, Payload]:
        spec = self._registry.find(job.kind)
        if spec is None:
            raise UnknownKind(f"no handler for kind {job.kind!r} in this process: parked for one that has it")
        return spec, read_payload(spec.payload_type, job.payload, job.version)

    def _refuse(self, job: ClaimedJob, error: Exception) -> Outcome:
        """A job whose handler or payload could not be found: parked for another process, else a failure of its own."""
        if isinstance(error, UnknownKind):
            log.warning("unknown kind parked", queue=job.queue, job=job.id.job_id, error=str(error))
        return classify_error(error)

    # --- start and run

    async def _run_unit(self, unit: Sequence[Held]) -> list[Outcome]:
        spec = self._registry.find(unit[0].job.kind)
        if any(held.job.suspect for held in unit):
            for held in unit:
                if not await self._store.mark_alone(held.job):
                    return [Lost() for _ in unit]
        if spec is None or spec.batch <= 1:
            return [await self._run_single(held) for held in unit]
        return await self._run_batch(spec, unit)

    async def _run_single(self, held: Held) -> Outcome:
        if held.job.cancel_requested:
            # An operator asked while it ran before; it failed or was put off, and must not run again.
            return Cancelled()
        try:
            spec, payload = self._resolve(held.job)
        except Exception as error:
            return self._refuse(held.job, error)
        job = Job(held.job, payload, self._store, self._broker)
        outcome = await self._call(spec, job, [held], lambda: job.transaction_state)
        if isinstance(outcome, Returned):
            return await self._completer.complete(held.job)
        return outcome

    async def _run_batch(self, spec: HandlerSpec, unit: Sequence[Held]) -> list[Outcome]:
        outcomes: dict[int, Outcome] = {}
        jobs: list[Job[Payload]] = []
        for held in unit:
            if held.job.cancel_requested:
                outcomes[held.job.id.job_id] = Cancelled()
                continue
            try:
                jobs.append(Job(held.job, self._resolve(held.job)[1], self._store, self._broker))
            except Exception as error:
                outcomes[held.job.id.job_id] = self._refuse(held.job, error)
        claimed = [held for held in unit if held.job.id.job_id not in outcomes]
        outcomes |= await self._run_jobs(spec, jobs, claimed, unit) if jobs else {}
        return [outcomes[held.job.id.job_id] for held in unit]

    async def _run_jobs(
        self, spec: HandlerSpec, jobs: Sequence[Job[Payload]], part: Sequence[Held], unit: Sequence[Held]
    ) -> dict[int, Outcome]:
        """One call of a batch handler, with a part of its unit. One that fails is called again with halves, until the
        job that fails is alone: it must not use up its neighbours' attempts.
        """
        batch = Batch(jobs, self._store)
        outcome = await self._call(spec, batch, unit, lambda: batch.transaction_state, part)
        if isinstance(outcome, Completed):
            # The ledger has them no more among our running rows, while the other parts still run: no lease is lost.
            for held in part:
                held.settled = held.job.id.job_id not in batch.failures
        if len(jobs) > 1:
            if isinstance(outcome, Lost):
                # One lost lease rolls all of a batch back; the others are run again and use no attempt.
                outcome = Released()
            elif isinstance(outcome, Failed) and not outcome.timed_out and not batch.failures:
                half = len(jobs) // 2
                first = await self._run_jobs(spec, jobs[:half], part[:half], unit)
                return first | await self._run_jobs(spec, jobs[half:], part[half:], unit)
        refusals = {job_id: classify_error(error) for job_id, error in batch.failures.items()}
        return {job.id: refusals.get(job.id, outcome) for job in jobs}

    async def _call(
        self,
        spec: HandlerSpec,
        argument: Job[Payload] | Batch[Payload],
        unit: Sequence[Held],
        state: Callable[[], TransactionState],
        part: Sequence[Held] | None = None,
    ) -> Outcome:
        # Whoever of the unit is stopped, the task of all is; the outcome is that of the part that is called for.
        limit = asyncio.timeout(spec.time_limit.total_seconds())
        began = asyncio.get_running_loop().time()
        try:
            async with limit:
                await spec.handler(argument)
        except asyncio.CancelledError as error:
            if state() in (TransactionState.COMMITTED, TransactionState.UNKNOWN):
                return self._after_transaction(state(), error, unit)
            if all(held.stop_reason is None for held in unit):
                # The handler raised it itself, or cancelled its own task: a failure like any other.
                uncancel()
                return Failed(describe_failure(error))
            raise
        except TimeoutError as error:
            if limit.expired():
                message = f"ran longer than its time limit of {spec.time_limit.total_seconds():g} s"
                outcome: Outcome = Failed(describe_failure(TimeoutError(message)), timed_out=True)
            else:
                outcome = Failed(describe_failure(error))
            return outcome if state() is not TransactionState.COMMITTED else Completed()
        except Exception as error:
            self._refuse_disguise(state(), unit)
            if state() in (TransactionState.COMMITTED, TransactionState.UNKNOWN):
                return self._after_transaction(state(), error, unit)
            now = asyncio.get_running_loop().time()
            return self._strikes.judge(error, [held.job for held in part or unit], began, now)
        self._refuse_disguise(state(), unit)
        return self._after_transaction(state(), None, unit, spec)

    def _refuse_disguise(self, state: TransactionState, unit: Sequence[Held]) -> None:
        """A handler that swallowed our cancellation, or turned it into another exception, has still been stopped by us:
        that is no failure of its own.
        """
        settled = state in (TransactionState.COMMITTED, TransactionState.UNKNOWN)
        if not settled and any(held.stop_reason is not None for held in unit):
            raise asyncio.CancelledError

    def _after_transaction(
        self,
        state: TransactionState,
        error: BaseException | None,
        unit: Sequence[Held],
        spec: HandlerSpec | None = None,
    ) -> Outcome:
        match state:
            case TransactionState.COMMITTED:
                if error is not None:
                    log.error("handler failed after its commit", job=unit[0].job.id.job_id, exc_info=error)
                return Completed()
            case TransactionState.UNKNOWN:
                return Unknown()
            case TransactionState.UNUSED | TransactionState.OPEN | TransactionState.ROLLED_BACK:
                if state is TransactionState.UNUSED and spec is not None and spec.effect_free and spec.batch <= 1:
                    return Returned()
                return Failed(describe_failure(TransactionMissing(NO_TRANSACTION)))
            case _:
                assert_never(state)

    # --- classify

    def _explain_cancellation(self, held: Held) -> Outcome:
        if held.settled:
            return Completed()
        match held.stop_reason:
            case StopReason.LEASE_LOST:
                return Lost()
            case StopReason.CANCEL_REQUESTED:
                return Cancelled()
            case StopReason.SHUTDOWN | None:
                return Released()
            case _:
                assert_never(held.stop_reason)


def _describe(unit: Sequence[Held]) -> dict[str, object]:
    """What every line is marked with that is logged while these run."""
    job = unit[0].job
    if len(unit) > 1:
        return {"queue": job.queue, "jobs": [held.job.id.job_id for held in unit]}
    return {
        "queue": job.queue,
        "job": job.id.job_id,
        "key": job.key,
        "attempt": job.attempt_number,
        "trace": trace_id_of(job.trace_context),
    }


def uncancel() -> None:
    """Forget the cancellation that was just handled, so that later time limits of this task count from zero."""
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()
