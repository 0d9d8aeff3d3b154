"""Invariants 7, 9, 11 and 12: each is caught in an engine that lacks its guard, and not in the sound one."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from unittest.mock import AsyncMock

from tests.support.engine import OPERATOR, Work
from tests.support.invariants import read_clock
from tests.support.invariants.breaking import replaced, without
from tests.support.invariants.scenario import Scenario, write_evidence
from tests.support.invariants.trial import Trial
from tournee.engine.client import Job, LeaseLost
from tournee.engine.core.liveness import WorkerObserver
from tournee.engine.maintenance.reconciler import Reconciler
from tournee.engine.worker.gate import SuspectGate


async def test_7_a_redrive_that_nobody_answers_for_is_reported(trial: Trial) -> None:
    """Taken out: the line of the audit log."""

    async def drive(scenario: Scenario) -> None:
        async def script(job: Job[Work]) -> None:
            if not scenario.bench.handlers.dead:
                raise ValueError("on request")
            await write_evidence(job)

        scenario.script = script
        await scenario.bench.start()
        [answer] = await scenario.bench.enqueue_work(1)
        await scenario.bench.wait_for_state("dead")
        await scenario.bench.engine.redrive([answer.job_id], OPERATOR)
        await scenario.bench.run_to_rest()

    line = "VALUES ($1, $2, $3, $4, $5)"
    await trial.run(7, drive, without("write_audit", line, "SELECT $1, $2, $3, $4::jsonb, $5::bigint[] WHERE false"))


async def test_7_a_cancelled_job_that_completes_is_reported(trial: Trial) -> None:
    """Taken out: the state in the completion, and in the lock before the effects, which suffices by itself.

    The lease does not help here: the job was given back and cancelled before anybody claimed it anew.
    """

    async def drive(scenario: Scenario) -> None:
        cancelled, over = asyncio.Event(), asyncio.Event()

        async def script(job: Job[Work]) -> None:
            await cancelled.wait()
            try:
                with suppress(LeaseLost):
                    await write_evidence(job)
            finally:
                over.set()

        scenario.script = script
        await scenario.bench.start(heartbeat_seconds=600)
        [answer] = await scenario.bench.enqueue_work(1)
        await scenario.bench.wait_for_state("running")
        await scenario.bench.engine.pause("work", OPERATOR)
        await scenario.renew_lease(claimed_again=False)
        await scenario.bench.engine.cancel([answer.job_id], OPERATOR)
        cancelled.set()
        await over.wait()

    guard = "WHERE j.state = 'running'"
    await trial.run(7, drive, without("complete_jobs", guard, "WHERE true"), without("lock_running", guard))


async def test_9_an_innocent_that_dies_with_its_neighbour_is_reported(trial: Trial) -> None:
    """Taken out: that a suspect runs alone.

    A process that reports itself dead stands for one that was killed: all that it ran is rescued, and it goes on under
    a new id. Only where the guard is out can the killer wait for company at its second run.
    """

    async def drive(scenario: Scenario) -> None:
        started: dict[int, set[str]] = {}
        changed = asyncio.Condition()

        async def hang_until_killed(job: Job[Work]) -> None:
            if job.payload.note == "kill":
                company = 4 if scenario.broken or job.claimed.lease == 1 else 1
                async with changed:
                    await changed.wait_for(lambda: len(started[job.claimed.lease]) == company)
                scenario.journal.note_kill(job)
                await scenario.bench.engine.store.report_dead_worker([os.getpid()], platform.node())
            await asyncio.Event().wait()

        async def script(job: Job[Work]) -> None:
            started.setdefault(job.claimed.lease, set()).add(job.key)
            async with changed:
                changed.notify_all()
            if job.payload.note == "kill" or scenario.broken or job.claimed.lease == 1:
                await hang_until_killed(job)
            await write_evidence(job)

        scenario.script = script
        await scenario.bench.enqueue(*(Work(n=n, note="" if n else "kill") for n in range(4)))
        await scenario.bench.start(concurrency=4)
        await scenario.bench.run_to_rest()
        assert (await scenario.bench.show(0)).state == "dead"

    await trial.run(9, drive, replaced(SuspectGate, "alone", SuspectGate.together))


async def test_9_a_job_that_is_charged_for_no_crash_is_reported(trial: Trial) -> None:
    """Taken out: that a worker is dead only if its heartbeat stood still for a whole lease. The lease keeps what such a
    rescuer breaks from being written twice, so that nothing else is broken.
    """

    async def drive(scenario: Scenario) -> None:
        bench = scenario.bench
        looks = count_calls(bench.engine.store, "read_workers")
        bench.handlers.gate.clear()
        await bench.start()
        await bench.enqueue_work(1)
        await bench.wait_for_state("running")
        begun = looks()

        async def looked() -> bool:
            return (await bench.show()).state == "dead" if scenario.broken else looks() > begun + 5

        await bench.wait_until(looked)
        bench.handlers.gate.set()
        await bench.run_to_rest()

    await trial.run(9, drive, replaced(WorkerObserver, "observe", lambda _, beats, now: list(beats)))


def count_calls(owner: Any, name: str) -> Callable[[], int]:
    """How often a method was called since."""
    method = getattr(owner, name)
    counting = AsyncMock(side_effect=method)
    setattr(owner, name, counting)
    return lambda: counting.await_count


async def test_11_jobs_that_stay_lost_after_a_flush_are_reported(trial: Trial) -> None:
    """Taken out: that a missing or different epoch makes the queue recover. The comparison looks at the epoch first,
    and so does not help.
    """

    async def drive(scenario: Scenario) -> None:
        bench, bound_seconds = scenario.bench, 0.3 if scenario.broken else 30.0
        bench.handlers.gate.clear()
        await bench.start(concurrency=2, queues=("work",))
        await bench.enqueue_work(10)
        await bench.wait_for_state("running", 2)
        await bench.wait_for_state("queued", 8)
        at = await read_clock(bench.pool)
        await bench.redis.flushall()
        scenario.journal.note_flush(at, bound_seconds)
        bench.handlers.gate.set()

        async def over() -> bool:
            late = await read_clock(bench.pool) > at + timedelta(seconds=bound_seconds)
            return await bench.is_at_rest() or (late and (await bench.count_states()).get("completed") == 2)

        await bench.wait_until(over)

    async def recover_nothing(*_: object) -> int:
        return 0

    await trial.run(11, drive, replaced(Reconciler, "recover", recover_nothing), at_rest=False)


async def test_12_a_job_that_starts_too_early_is_reported(trial: Trial) -> None:
    """Taken out: `run_at` in the promotion and in the claim, since either of the two suffices."""

    async def drive(scenario: Scenario) -> None:
        await scenario.bench.start()
        await scenario.bench.enqueue(Work(n=0), delay=timedelta(hours=1))
        await scenario.bench.enqueue(Work(n=1))
        await scenario.bench.wait_for_state("completed", 2 if scenario.broken else 1)

    await trial.run(
        12, drive, without("promote_due", "AND run_at <= now()"), without("claim_jobs", "AND j.run_at <= now()")
    )
