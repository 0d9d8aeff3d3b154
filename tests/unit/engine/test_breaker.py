"""The breaker's rules."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tournee.engine.core.breaker import RAMP_SECONDS, BreakerPolicy, BreakerState

POLICY = BreakerPolicy(threshold=5, probes=3, base=timedelta(seconds=5), cap=timedelta(minutes=5))
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("state", "failures", "retry_after", "opens"),
    [
        (BreakerState.CLOSED, 1, None, False),
        (BreakerState.CLOSED, 5, None, True),
        (BreakerState.CLOSED, 1, SECOND, True),
        (BreakerState.HALF_OPEN, 1, None, True),
        (BreakerState.OPEN, 1, None, True),
    ],
)
def test_it_opens_at_the_threshold_at_a_named_time_and_at_a_failed_probe(
    state: BreakerState, failures: int, retry_after: timedelta | None, opens: bool
) -> None:
    assert POLICY.opens(state, failures, retry_after) is opens


def test_it_stays_open_for_longer_each_time_up_to_the_cap() -> None:
    seconds = [POLICY.open_for(openings, None).total_seconds() for openings in (1, 2, 3, 7, 500)]

    assert seconds == [5, 10, 20, 300, 300]


def test_it_stays_open_at_least_as_long_as_the_provider_asked() -> None:
    assert POLICY.open_for(1, timedelta(hours=1)) == timedelta(hours=1)
    assert POLICY.open_for(3, SECOND) == timedelta(seconds=20)


def test_it_closes_after_as_many_successes_as_there_are_probes() -> None:
    assert [POLICY.closes(successes) for successes in (1, 2, 3)] == [False, False, True]


def test_after_it_closed_the_limit_doubles_each_second_and_then_is_gone() -> None:
    assert [POLICY.ramp_limit(seconds) for seconds in (0.0, 0.9, 1.0, 2.5, 5.0)] == [3, 3, 6, 12, 96]
    assert POLICY.ramp_limit(RAMP_SECONDS) is None
    assert POLICY.ramp_limit(None) is None
    assert POLICY.ramp_limit(-3.0) == 3
