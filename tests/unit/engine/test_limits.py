"""What a queue may dispatch: what can be declared, and the room that is left."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tournee.engine.client import QueueLimits, Rate
from tournee.engine.core.limits import Occupancy, find_allowance, pay_front_debt

MINUTE = timedelta(minutes=1)


def make_occupancy(in_flight: int, **fields: Any) -> Occupancy:
    return Occupancy(**{"in_flight": in_flight, "tenants": 1, "counted": in_flight, "front_debt": 0, **fields})


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Rate(0, MINUTE),
        lambda: Rate(5, timedelta(0)),
        lambda: QueueLimits(concurrency=0),
        lambda: QueueLimits(per_tenant_concurrency=-1),
    ],
)
def test_a_limit_that_lets_nothing_through_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"lets nothing through|longer than nothing"):
        wrong()


def test_a_full_window_has_places_at_the_front_only() -> None:
    allowance = find_allowance(10, 5, make_occupancy(10))
    assert (allowance.places, allowance.front) == (0, 5)


def test_a_window_that_shrank_below_what_it_holds_has_its_reserve_at_the_front_still() -> None:
    seen = make_occupancy(40)
    assert find_allowance(10, 5, seen).front == 5
    debt = pay_front_debt(5, seen, front=5, back=0)
    assert find_allowance(10, 5, make_occupancy(45, front_debt=debt)).is_empty


@pytest.mark.parametrize("limits", [{"concurrency": 7}, {"tokens": 1.9}])
def test_neither_window_nor_reserve_goes_beyond_a_limit(limits: dict[str, Any]) -> None:
    allowance = find_allowance(10, 5, make_occupancy(6, **limits))
    assert (allowance.places, allowance.front) == (1, 1)


def test_a_limit_that_was_lowered_below_what_is_in_flight_leaves_no_room() -> None:
    assert find_allowance(10, 5, make_occupancy(6, concurrency=2)).is_empty


def test_places_at_the_front_are_paid_for_by_places_at_the_back() -> None:
    seen = make_occupancy(10, front_debt=3)
    assert find_allowance(20, 5, seen).front == 2
    assert pay_front_debt(5, seen, front=2, back=0) == 5
    assert pay_front_debt(5, seen, front=0, back=2) == 1
    assert pay_front_debt(5, seen, front=0, back=9) == 0


def test_with_nothing_in_flight_nobody_was_overtaken() -> None:
    assert find_allowance(20, 5, make_occupancy(0, front_debt=5)).front == 5
    assert pay_front_debt(5, make_occupancy(0, front_debt=5), front=1, back=0) == 1


@pytest.mark.parametrize(
    ("in_flight", "tenants", "newcomers"), [(0, 0, False), (2, 1, False), (10, 1, True), (10, 5, True), (10, 6, False)]
)
def test_newcomers_overtake_where_few_tenants_hold_the_window(in_flight: int, tenants: int, newcomers: bool) -> None:
    assert find_allowance(10, 5, make_occupancy(in_flight, tenants=tenants)).newcomers is newcomers
