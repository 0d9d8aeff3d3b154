"""Invariants 3, 4, 6 and 13: each is caught in an engine that lacks its guard, and not in the sound one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from tests.integration.invariants.test_broken_ledger import enqueue_apart
from tests.support.broker import make_job
from tests.support.engine import QUICK, WORK, Work
from tests.support.invariants import record_effect
from tests.support.invariants.breaking import replaced, without
from tests.support.invariants.scenario import Scenario, write_evidence
from tests.support.invariants.trial import Trial
from tournee.engine.client import Job, Payload
from tournee.engine.core.job import ClaimedJob, DispatchId
from tournee.engine.postgres.claims import ClaimStore
from tournee.engine.postgres.enqueue import EnqueueTransaction
from tournee.engine.postgres.session import SQL


class Parent(Payload, queue="work", kind="parent"):
    """Says how many follow-up jobs it will enqueue."""

    n: int
    follow_ups: int

    def key(self) -> str:
        return f"parent {self.n}"


class Child(Payload, queue="follow", kind="child"):
    """Says whose it is. Its key holds the lease, so that a second one is not hidden by the first."""

    parent: int
    lease: int

    def key(self) -> str:
        return f"{self.parent} at {self.lease}"


async def test_3_effects_without_their_completion_are_reported(trial: Trial) -> None:
    """Taken out: that effects and completion share one transaction."""

    async def drive(scenario: Scenario) -> None:
        async def script(job: Job[Work]) -> None:
            async with job.transaction() as tx:
                await record_effect(tx, job)
                if job.attempt_number == 1:
                    raise ValueError("after the effect")

        scenario.script = script
        await scenario.bench.start()
        await scenario.bench.enqueue_work(1)
        await scenario.bench.run_to_rest()

    await trial.run(3, drive, replaced(ClaimStore, "complete_in_transaction", complete_apart))


@asynccontextmanager
async def complete_apart(
    store: ClaimStore, jobs: Sequence[ClaimedJob], completed: Callable[[], Sequence[ClaimedJob]]
) -> AsyncIterator[EnqueueTransaction]:
    """Effects that commit one by one, then the completion."""
    async with store._session.pool.acquire() as connection:
        yield EnqueueTransaction(connection)
    done = completed()
    await store._session.fetch(SQL.complete_jobs, [job.id.job_id for job in done], [job.lease for job in done])


async def test_4_follow_ups_of_a_run_that_failed_are_reported(trial: Trial) -> None:
    """Taken out: that follow-up jobs are inserted on the connection of the job's transaction."""

    async def drive(scenario: Scenario) -> None:
        async def run_parent(job: Job[Parent]) -> None:
            scenario.journal.note_start(job)
            async with job.transaction() as tx:
                await record_effect(tx, job)
                await tx.enqueue(Child(parent=job.id, lease=job.claimed.lease))
                if job.attempt_number == 1:
                    raise ValueError("after the follow-up")

        async def run_child(job: Job[Child]) -> None:
            scenario.journal.note_start(job)

        registry = scenario.bench.engine.registry
        registry.add(Parent, run_parent, retry=QUICK)
        registry.add(Child, run_child, retry=QUICK, effect_free=True)
        await scenario.bench.start(queues=("work", "follow"))
        await scenario.bench.enqueue(Parent(n=0, follow_ups=1))
        await scenario.bench.run_to_rest()

    await trial.run(4, drive, enqueue_apart)


async def test_6_the_write_of_an_older_lease_is_reported(trial: Trial) -> None:
    """Taken out: the lease in the completion, and in the lock before the effects, which suffices by itself."""

    async def drive(scenario: Scenario) -> None:
        renewed, written = asyncio.Event(), asyncio.Event()

        async def script(job: Job[Work]) -> None:
            if job.claimed.lease > 1:
                renewed.set()
                await written.wait()
            else:
                await renewed.wait()
            try:
                await write_evidence(job)
            finally:
                written.set()

        scenario.script = script
        # Without a heartbeat nobody tells the first run that its lease is over.
        await scenario.bench.start(heartbeat_seconds=600)
        await scenario.bench.enqueue_work(1)
        await scenario.renew_lease()
        await scenario.bench.run_to_rest()

    guard = "AND j.lease = t.lease"
    await trial.run(6, drive, without("complete_jobs", guard), without("lock_running", guard))


async def test_13_a_start_of_what_redis_alone_knows_is_reported(trial: Trial) -> None:
    """Taken out: that a worker starts only what the claim returned."""

    async def drive(scenario: Scenario) -> None:
        await scenario.bench.start(queues=("work",))
        await scenario.bench.enqueue_work(1)
        await scenario.bench.run_to_rest()
        await scenario.bench.broker.add(WORK, [make_job(999, queue=WORK, payload={"n": 999})])

        async def gone() -> bool:
            return not [*await scenario.bench.list_waiting(), *await scenario.bench.list_active()]

        await scenario.bench.wait_until(gone)

    await trial.run(13, drive, replaced(ClaimStore, "claim_jobs", claim_anything()))


async def test_13_a_claim_of_what_runs_already_is_reported(trial: Trial) -> None:
    """Taken out: the state in the claim. A hand in Redis put the entry of a running job back, as a board may."""

    async def drive(scenario: Scenario) -> None:
        fetched = asyncio.Event()

        async def script(job: Job[Work]) -> None:
            if job.claimed.lease == 1:
                await fetched.wait()
            await write_evidence(job)

        scenario.script = script
        await scenario.bench.start(queues=("work",))
        await scenario.bench.enqueue_work(1)
        await scenario.bench.wait_for_state("running")
        [entry] = await scenario.bench.list_active()
        await scenario.bench.redis.lpush("bull:work:wait", entry)
        await scenario.bench.redis.zadd("bull:work:marker", {"0": 0})

        async def taken() -> bool:
            return not await scenario.bench.list_waiting()

        await scenario.bench.wait_until(taken)
        if scenario.broken:
            await scenario.bench.wait_until(scenario.bench.is_at_rest)
        fetched.set()
        await scenario.bench.run_to_rest()

    await trial.run(13, drive, without("claim_jobs", "j.state = 'queued' AND"))


def claim_anything() -> Callable[..., Awaitable[Sequence[ClaimedJob]]]:
    """The sound claim, and then whatever else Redis handed out, made up after a job that was claimed before."""
    claim_jobs = ClaimStore.claim_jobs
    seen: list[ClaimedJob] = []

    async def claim(store: ClaimStore, ids: Sequence[DispatchId], *rest: Any) -> Sequence[ClaimedJob]:
        claimed = await claim_jobs(store, ids, *rest)
        seen.extend(claimed)
        unclaimed = set(ids) - {job.id for job in claimed}
        return [*claimed, *(replace(seen[0], id=entry, key="made up") for entry in unclaimed)]

    return claim
