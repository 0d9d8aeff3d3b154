"""Invariants 10 and 14: each is caught in an engine that lacks its guard, and not in the sound one."""

from __future__ import annotations

from tests.support.broker import make_job
from tests.support.engine import OPERATOR, Work
from tests.support.invariants.breaking import replaced, reworded, without
from tests.support.invariants.scenario import Scenario, write_evidence
from tests.support.invariants.trial import Trial
from tournee.engine.bullmq import dead_letters
from tournee.engine.client import Job, QueueName
from tournee.engine.maintenance.reconciler import Reconciler

REDRIVE_UNDER_A_NEW_ID = """-- A copy runs again; the dead row stays what it is.
WITH locked AS (
    SELECT * FROM engine.jobs WHERE id = ANY ($1::bigint[]) AND state = 'dead' ORDER BY id FOR UPDATE
), copied AS (
    INSERT INTO engine.jobs (queue, key, kind, version, payload, tenant, priority, rank)
    SELECT queue, key || ' again', kind, version, payload, tenant, priority, now() + $2::interval * 0 FROM locked
    RETURNING id, queue, tenant, rank, run_at, priority
), made_ready AS (
    INSERT INTO engine.ready (job_id, queue, tenant, rank, run_at, urgent, due)
    SELECT id, queue, tenant, rank, run_at, priority < 0, true FROM copied
)
SELECT id, queue, key, kind, version, tenant, payload, attempt, crashes, dispatch, now() AS died_at, trace_context
FROM locked
"""


async def redrive_a_dead_job(scenario: Scenario) -> None:
    """One job dies of its attempts, is shown, is redriven and completes."""

    async def script(job: Job[Work]) -> None:
        if not scenario.bench.handlers.dead:
            raise ValueError("on request")
        await write_evidence(job)

    scenario.script = script
    await scenario.bench.start()
    [answer] = await scenario.bench.enqueue_work(1)
    await scenario.bench.wait_for_state("dead")

    async def shown() -> bool:
        return bool(await scenario.bench.redis.llen("bull:deadLetters:wait"))

    await scenario.bench.wait_until(shown)
    await scenario.bench.engine.redrive([answer.job_id], OPERATOR)
    await scenario.bench.wait_for_state("completed")


async def test_10_a_redrive_under_a_new_id_is_reported(trial: Trial) -> None:
    """Taken out: that redrive moves the dead row itself."""
    await trial.run(10, redrive_a_dead_job, reworded("redrive_dead", REDRIVE_UNDER_A_NEW_ID))


async def test_10_a_letter_that_is_shown_after_its_redrive_is_reported(trial: Trial) -> None:
    """Taken out: that the projection removes what is no dead row any more."""

    async def discard_nothing(*_: object) -> None:
        pass

    await trial.run(10, redrive_a_dead_job, replaced(dead_letters, "discard_entries", discard_nothing))


async def test_14_a_queued_row_that_redis_has_lost_is_reported(trial: Trial) -> None:
    """Taken out: that the comparison looks for candidates in the ledger. Such a job never ends: 1 is broken too."""

    async def drive(scenario: Scenario) -> None:
        bench = scenario.bench
        await bench.engine.start()
        [answer] = await bench.enqueue_work(1)
        await bench.wait_for_state("queued")
        await bench.wait_until(lambda: remove_entry(scenario, f"j{answer.job_id}-1"))
        # The comparison leaves a relay time for its add; here it has had that.
        await bench.pool.execute("UPDATE engine.jobs SET dispatched_at = now() - interval '1 minute'")
        if not scenario.broken:
            await bench.add_worker()
            await bench.run_to_rest()

    nothing = without("list_queued", "j.state = 'queued'", "false")
    await trial.run(14, drive, nothing, also=frozenset({1}))


async def remove_entry(scenario: Scenario, entry: str) -> bool:
    """Take an entry out of a list, as a hand in Redis may; False if it is not there yet."""
    return bool(await scenario.bench.redis.lrem("bull:work:wait", 1, entry))


async def test_14_an_entry_that_no_row_accounts_for_is_reported(trial: Trial) -> None:
    """Taken out: that the comparison discards orphans. Nobody fetches from this queue, or the claim would refuse it."""

    async def drive(scenario: Scenario) -> None:
        queue = QueueName("follow")
        await scenario.bench.start()
        await scenario.bench.broker.add(queue, [make_job(999, queue=queue, payload={"n": 999})])
        await scenario.bench.enqueue_work(1)
        await scenario.bench.run_to_rest()

    async def discard_none(*_: object) -> int:
        return 0

    await trial.run(14, drive, replaced(Reconciler, "_discard_orphans", discard_none))
