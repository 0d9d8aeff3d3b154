"""The checks on a sound engine: they find nothing, at any time, at little cost."""

from __future__ import annotations

from datetime import timedelta

from tests.support.engine import OPERATOR, Bulk, Free, Work
from tests.support.invariants import assert_all_hold
from tests.support.invariants.scenario import Scenario, write_evidence
from tournee.engine.client import Job, Snooze


async def test_a_sound_engine_breaks_none_while_it_runs_and_none_at_rest(scenario: Scenario) -> None:
    bench = scenario.bench

    async def script(job: Job[Work]) -> None:
        if job.payload.note == "fail" or (job.payload.note == "fail once" and job.attempt_number == 1):
            raise ValueError("on request")
        if job.payload.note == "snooze" and job.claimed.lease == 1:
            raise Snooze(timedelta(milliseconds=50))
        await write_evidence(job)

    scenario.script = script
    await bench.start()
    notes = ("", "fail", "fail once", "snooze")
    works = [Work(n=n, note=notes[n % 4]) for n in range(80)]
    await bench.enqueue(*works, *(Free(n=n) for n in range(20)), *(Bulk(n=n) for n in range(20)))
    scenario.journal.note_acknowledged("work", (work.key() for work in works))
    assert_all_hold(await scenario.gather(), at_rest=False)
    await bench.run_to_rest()
    dead = await bench.pool.fetch("SELECT job_id FROM engine.dead ORDER BY job_id")
    await bench.engine.redrive([row["job_id"] for row in dead[:5]], OPERATOR)
    await bench.engine.discard([row["job_id"] for row in dead[5:10]], OPERATOR)
    await bench.run_to_rest()
    await bench.engine.reconcile()
    evidence = await scenario.gather()
    assert_all_hold(evidence, at_rest=True)
    assert len(evidence.effects) == 60
    assert len(evidence.dead) == 15
