"""The enqueuing side of a chaos run: what is asked for is read back whole, and what callers met is judged."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.chaos.api import Group, Order
from tests.chaos.calls import BROKEN, LATE, REFUSED, Call, CallLog, Window, judge_calls
from tests.chaos.generator import make_groups
from tests.chaos.workload import Task

OUTAGE = Window("redis-outage", 10.0, 20.0)


def test_an_order_arrives_as_it_was_sent() -> None:
    order = Order(groups=make_groups(random.Random(1), "x", 50), changes_mind=True)
    arrived = Order.model_validate_json(order.model_dump_json())
    assert arrived == order
    assert sum(len(group.read_payloads()) for group in arrived.groups) == 50


def test_a_job_that_is_none_of_ours_is_refused() -> None:
    group = Group.of([Task(key_text="x")])
    group.jobs[0].payload["surprise"] = 1
    with pytest.raises(ValidationError):
        group.read_payloads()


def test_what_a_caller_met_is_read_back(tmp_path: Path) -> None:
    log = CallLog(tmp_path / "calls")
    assert log.read() == []
    log.note(Call(1.0, 2.5, "201"))
    log.note(Call(2.0, 3.0, BROKEN))
    assert log.read() == [Call(1.0, 2.5, "201"), Call(2.0, 3.0, BROKEN)]


def test_answers_are_counted_and_those_without_redis_apart() -> None:
    verdict = judge_calls([Call(5.0, 8.0, "201"), Call(12.0, 12.5, "201"), Call(13.0, 21.0, BROKEN)], [OUTAGE])
    assert verdict.outcomes == {"201": 2, BROKEN: 1}
    assert verdict.away == {"201": 1, BROKEN: 1}
    assert (verdict.slowest_seconds, verdict.slowest_away_seconds) == (3.0, 0.5)
    assert verdict.violations == []
    assert "2 201" in verdict.to_line()


def test_an_answer_that_the_api_has_no_word_for_fails_the_run() -> None:
    assert judge_calls([Call(1.0, 2.0, "500")], []).violations == ["the API answered 500, 1 times"]


def test_an_answer_that_never_came_fails_the_run_unless_the_api_was_struck() -> None:
    late = Call(1.0, 9.0, LATE)
    assert judge_calls([late], [Window("deadlock", 0.0, 9.0)]).violations
    assert judge_calls([late], [Window("api-stopped", 0.0, 9.0)]).violations == []


def test_callers_who_are_not_served_while_redis_alone_is_away_fail_the_run() -> None:
    calls = [Call(11.0, 11.1, "503"), Call(12.0, 12.1, REFUSED), Call(13.0, 13.1, "201")]
    assert judge_calls(calls, [OUTAGE]).violations
    assert judge_calls(calls, [OUTAGE, Window("api-killed", 8.0, 9.0)]).violations == []
    assert judge_calls([*calls, Call(14.0, 14.1, "201")], [OUTAGE]).violations == []
