"""The machine finds an engine whose guard is broken, within a bound: a walk that can't fail would prove nothing."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.properties.conftest import RunMachine
from tournee.engine.postgres.session import SQL

BOUND = settings(
    max_examples=60,
    stateful_step_count=30,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
    report_multiple_bugs=False,
)

BROKEN = {
    "a claim of any dispatch": (["claim_jobs"], " AND j.dispatch = i.dispatch"),
    "a return of any dispatch": (["return_queued"], " AND i.dispatch = j.dispatch"),
    "a completion by any lease": (["lock_running", "complete_jobs"], " AND j.lease = t.lease"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_missing_guard_is_found(name: str, run_machine: RunMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    queries, guard = BROKEN[name]
    for query in queries:
        assert guard in SQL[query], "the statement has changed: break it anew"
        monkeypatch.setitem(SQL._texts, query, SQL[query].replace(guard, ""))

    assert find_failure(run_machine) is not None


def find_failure(run_machine: RunMachine) -> Exception | None:
    try:
        run_machine(BOUND)
    except Exception as failure:
        return failure
    return None
