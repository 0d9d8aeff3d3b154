"""The machine finds an engine whose guard is broken, within a bound: a walk that can't fail would prove nothing."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.properties.conftest import RunMachine
from tests.properties.machine import EngineMachine
from tests.support.invariants.breaking import Break, replaced, reworded, without
from tests.support.invariants.scenario import Scenario
from tournee.engine.core.liveness import WorkerObserver

BOUND = settings(
    max_examples=200,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
    report_multiple_bugs=False,
)

LEASE = " AND j.lease = t.lease"
MINE, ANYBODYS = " AND lease = $2", " AND $2::int > 0"
BROKEN: dict[str, list[Break]] = {
    "a claim of any dispatch": [without("claim_jobs", " AND j.dispatch = i.dispatch")],
    "a return of any dispatch": [without("return_queued", " AND i.dispatch = j.dispatch")],
    "a completion by any lease": [without("lock_running", LEASE), without("complete_jobs", LEASE)],
    "a failure by any lease": [without("retry_failed", MINE, ANYBODYS), without("bury_failed", MINE, ANYBODYS)],
    "a release by any lease": [without("put_off_jobs", LEASE)],
    "a claim that keeps the lease": [without("claim_jobs", "lease = j.lease + 1", "lease = j.lease")],
    "a claim from a paused queue": [without("claim_jobs", " AND NOT q.paused")],
    "a snooze that uses an attempt": [without("put_off_jobs", "snoozes = j", "attempt = j.attempt + $5, snoozes = j")],
    "an outage that uses an attempt": [without("put_off_jobs", "outages = j", "attempt = j.attempt + $4, outages = j")],
    "a crash among others that is charged": [without("rescue_jobs", "t.crashed AND j.alone", "t.crashed")],
    "a redrive of what is not dead": [without("redrive_dead", " AND state = 'dead'")],
    "a new epoch without a sweep": [reworded("sweep_queued", "SELECT 0 FROM engine.queues WHERE name = $1")],
    "a rescue of whoever is seen": [replaced(WorkerObserver, "observe", lambda _self, beats, _now: set(beats))],
    "an enqueue that wakes the job of its key": [
        without("insert_jobs", "DO NOTHING", "DO UPDATE SET state = 'pending'"),
    ],
}
LOOKED_FOR = [*BROKEN] if os.environ.get("TOURNEE_EXAMPLES") else [*BROKEN][:3]
"""The fences of dispatch and lease always, the others in deep runs."""


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", LOOKED_FOR)
def test_a_missing_guard_is_found(name: str, run_machine: RunMachine, machine: type[EngineMachine]) -> None:
    with ExitStack() as broken:
        for part in BROKEN[name]:
            broken.enter_context(_break(part))
        with suppress(Exception):
            run_machine(BOUND)
    assert machine.found


def _break(part: Break) -> AbstractContextManager[Any]:
    # These need no scenario: they break the whole engine of this process.
    scenario: Scenario | Any = None
    return part(scenario)
