"""Which mail meets which fault."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tournee_sandbox.smtp.fault_plan import Fault, FaultPlan


def _plan(*faults: Fault, seed: int = 1) -> FaultPlan:
    plan = FaultPlan(seed)
    plan.put(faults)
    return plan


def test_a_counted_fault_is_used_up() -> None:
    plan = _plan(Fault(kind="refuse", stage="rcpt", count=2))
    assert [plan.take("rcpt", "a", ["a"]) is not None for _ in range(4)] == [True, True, False, False]
    assert plan.read()[0]["taken"] == 2


def test_a_fault_lets_the_first_ones_pass() -> None:
    plan = _plan(Fault(kind="refuse", after=2, count=1))
    assert [plan.take("data", "a") is not None for _ in range(4)] == [False, False, True, False]


def test_a_fault_strikes_only_at_its_stage_and_its_recipient() -> None:
    plan = _plan(Fault(kind="hang", recipient="ada@reader.example"))
    assert plan.take("rcpt", "x", ["ada@reader.example"]) is None
    assert plan.take("data", "x", ["bob@reader.example"]) is None
    assert plan.take("data", "x", ["bob@reader.example", "ada@reader.example"]) is not None


def test_the_first_fault_that_fits_is_taken() -> None:
    plan = _plan(Fault(kind="refuse", code=550, count=1), Fault(kind="refuse", code=451))
    assert [fault.code for fault in (plan.take("data", "a"), plan.take("data", "a")) if fault] == [550, 451]


def test_chance_depends_on_the_mail_and_not_on_the_order_of_arrival() -> None:
    fault = Fault(kind="refuse", probability=0.5)
    mails = [f"<{number}@x.example>" for number in range(200)]
    forwards, backwards = _plan(fault), _plan(fault)
    first = {mail: forwards.take("data", mail) is not None for mail in mails}
    second = {mail: backwards.take("data", mail) is not None for mail in reversed(mails)}
    assert first == second
    assert 60 < sum(first.values()) < 140


def test_another_seed_hits_other_mails() -> None:
    fault = Fault(kind="refuse", probability=0.5)
    mails = [f"<{number}@x.example>" for number in range(50)]
    one, other = _plan(fault, seed=1), _plan(fault, seed=2)
    assert [one.take("data", mail) for mail in mails] != [other.take("data", mail) for mail in mails]


def test_an_unlucky_mail_may_pass_when_it_comes_again() -> None:
    plan = _plan(Fault(kind="refuse", probability=0.5))
    assert {plan.take("data", "<same@x.example>") is None for _ in range(20)} == {True, False}


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "refuse", "code": 250},
        {"kind": "refuse", "text": "two\r\nlines"},
        {"kind": "hang", "stage": "connect", "recipient": "ada@reader.example"},
        {"kind": "explode"},
        {"kind": "refuse", "probability": 0},
        {"kind": "refuse", "unknown": 1},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(fault: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Fault.model_validate(fault)
