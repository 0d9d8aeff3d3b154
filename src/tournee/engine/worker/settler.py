"""Writes what a run came to into the ledger; BullMQ is told afterwards, by whoever asked.

Keeps invariants 6, 8 and 10: each write is guarded by the lease, only a failure of the job itself uses an attempt, and
a death commits with its error and its hook.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never

import structlog

from tournee.engine.core.errors import LeaseLost
from tournee.engine.core.job import ClaimedJob, DeadJob, Failure, JobState
from tournee.engine.core.retry import PARKING
from tournee.engine.ports import NOBODY, JobStore, LedgerContended, LedgerUnavailable, Observer, ProviderRow, RunOutcome
from tournee.engine.registry import Registry
from tournee.engine.worker.held import Held
from tournee.engine.worker.outcome import (
    LEDGER_DELAY,
    Cancelled,
    Completed,
    Failed,
    Lost,
    Outcome,
    Parked,
    Released,
    Returned,
    Snoozed,
    Unknown,
    describe_failure,
)
from tournee.kit.trace import trace_id_of

log = structlog.get_logger(__name__)

TRIES = 6
"""How often an outcome is offered to a ledger that does not answer; after that the heartbeat's comparison gives the
row back, which costs a repeated run and no attempt."""

MINIMUM_SNOOZE = timedelta(milliseconds=1)
MAXIMUM_SNOOZE = timedelta(days=366)
"""A handler may put its job off as often as it likes, each time by no more than this."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What BullMQ must be told of one job."""

    held: Held
    completed: bool
    outcome: RunOutcome
    dead: DeadJob | None = None
    failed_reason: str | None = None
    stack: str = ""


class Settler:
    """Offers outcomes to the ledger until it answers."""

    def __init__(self, store: JobStore, registry: Registry, observer: Observer = NOBODY) -> None:
        self._store = store
        self._observer = observer
        self._registry = registry
        self._providers = {queue.name: queue.provider for queue in registry.queues}
        self._uncertain: set[str] = set()

    def note_breakers(self, providers: Iterable[ProviderRow]) -> None:
        """Which providers have outages on their account: only their successes are worth a statement."""
        self._uncertain = {row.name for row in providers if row.failures or row.state != "closed"}

    async def settle(self, held: Held, outcome: Outcome) -> Settled:
        """Write one outcome. A cancellation of the caller waits until it is written."""
        task = asyncio.ensure_future(self._settle_with_retries(held, outcome))
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                continue
        held.settled = True
        return task.result()

    async def _settle_with_retries(self, held: Held, outcome: Outcome) -> Settled:
        pause_seconds = 0.1
        for _ in range(TRIES):
            try:
                return await self._settle(held, outcome)
            except LeaseLost:
                return Settled(held, False, RunOutcome.LOST)
            except (LedgerUnavailable, LedgerContended) as error:
                log.warning("ledger did not take an outcome", job=held.job.id.job_id, error=str(error))
                await asyncio.sleep(pause_seconds)
                pause_seconds = min(pause_seconds * 2, 2.0)
            except Exception as error:
                # For instance a death hook that fails. Neither the job nor what the hook had to do may get lost, and
                # it must not run again at once: it is put off like after an outage, for longer each time.
                log.exception("an outcome could not be written", job=held.job.id.job_id)
                outcome = Parked(describe_failure(error))
        done = outcome == Completed()
        return Settled(held, done, RunOutcome.COMPLETED if done else RunOutcome.UNKNOWN)

    async def _settle(self, held: Held, outcome: Outcome) -> Settled:
        job = held.job
        match outcome:
            case Completed():
                # What the breaker counts is no part of the outcome, which stands already.
                with suppress(LedgerUnavailable, LedgerContended):
                    await self._note_success(job)
                return Settled(held, True, RunOutcome.COMPLETED)
            case Failed():
                return await self._fail(held, outcome)
            case Parked():
                await self._park(job, outcome)
                return Settled(held, False, RunOutcome.PARKED)
            case Snoozed(delay):
                await self._store.put_off_jobs([job], min(max(delay, MINIMUM_SNOOZE), MAXIMUM_SNOOZE), snoozed=True)
                return Settled(held, False, RunOutcome.SNOOZED)
            case Released(delay):
                await self._store.put_off_jobs([job], delay)
                return Settled(held, False, RunOutcome.RELEASED)
            case Cancelled():
                await self._store.cancel_running(job, self._registry.find_cancel_hook(job.kind))
                return Settled(held, False, RunOutcome.CANCELLED)
            case Lost():
                return Settled(held, False, RunOutcome.LOST)
            case Unknown():
                return await self._ask_ledger(held)
            case Returned():
                raise AssertionError("an effect-free return is completed before it is settled")
            case _:
                assert_never(outcome)

    async def _fail(self, held: Held, failed: Failed) -> Settled:
        job, failure = held.job, failed.failure
        spec = self._registry.find(job.kind)
        delay = (spec.retry if spec else PARKING).delay(job.attempt_number, random.random)
        recorded = "timed_out" if failed.timed_out else "failed"
        dead = await self._store.fail_job(job, failure, recorded, delay, self._registry.find_death_hook(job.kind))
        _log_failure(job, failure, dead)
        if dead is not None:
            self._observer.note_dead(dead)
        outcome = RunOutcome.DEAD if dead else RunOutcome.RETRIED
        return Settled(held, False, outcome, dead, f"{failure.error_class}: {failure.message}"[:1000], failure.stack)

    async def _park(self, job: ClaimedJob, parked: Parked) -> None:
        if parked.provider is not None:
            state = await self._store.note_outage(parked.provider, parked.failure.message[:500], parked.retry_after)
            self._uncertain.add(parked.provider)
            self._observer.note_outage(parked.provider, state)
            if parked.retry_after is not None:
                self._observer.note_limited(parked.provider)
            log.warning("parked for an outage", provider=parked.provider, breaker=state, job=job.id.job_id)
        backoff = PARKING.delay(job.outages + 1, random.random)
        delay = parked.delay or max(backoff, parked.retry_after or timedelta(0))
        await self._store.put_off_jobs([job], delay, outage=parked.failure)

    async def _ask_ledger(self, held: Held) -> Settled:
        job = held.job
        seen = await self._store.read_outcome(job)
        if seen == (JobState.RUNNING, job.lease):
            await self._store.put_off_jobs([job], LEDGER_DELAY)
            return Settled(held, False, RunOutcome.RELEASED)
        done = seen == (JobState.COMPLETED, job.lease)
        return Settled(held, done, RunOutcome.COMPLETED if done else RunOutcome.UNKNOWN)

    async def _note_success(self, job: ClaimedJob) -> None:
        provider = self._providers.get(job.queue)
        if provider in self._uncertain and provider is not None:
            await self._store.note_success(provider)


def _log_failure(job: ClaimedJob, failure: Failure, dead: DeadJob | None) -> None:
    log.error(
        "job is dead" if dead else "attempt failed",
        queue=job.queue,
        job=job.id.job_id,
        key=job.key,
        kind=job.kind,
        attempt=job.attempt_number,
        of=job.max_attempts,
        error_class=failure.error_class,
        error=failure.message[:500],
        stack=failure.stack,
        trace=trace_id_of(job.trace_context),
    )
