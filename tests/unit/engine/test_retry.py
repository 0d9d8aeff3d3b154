"""When a failed job runs again."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tournee.engine.core.retry import PARKING, RetryPolicy

STEADY = RetryPolicy(base=timedelta(seconds=2), factor=3.0, cap=timedelta(seconds=60), jitter=0.0)


def test_delays_grow_by_the_factor_up_to_the_cap() -> None:
    seconds = [STEADY.delay(failures, lambda: 0.5).total_seconds() for failures in range(1, 7)]

    assert seconds == [2, 6, 18, 54, 60, 60]


def test_the_dice_spread_a_delay_both_ways() -> None:
    policy = RetryPolicy(base=timedelta(seconds=10), jitter=0.2)

    assert policy.delay(1, lambda: 0.0) == timedelta(seconds=8)
    assert policy.delay(1, lambda: 0.5) == timedelta(seconds=10)
    assert policy.delay(1, lambda: 1.0) == timedelta(seconds=12)


@given(failures=st.integers(-5, 10**9), dice=st.floats(0, 1))
def test_no_number_of_failures_overflows_or_goes_beyond_the_cap(failures: int, dice: float) -> None:
    delay = PARKING.delay(failures, lambda: dice)

    assert timedelta(0) < delay <= PARKING.cap * (1 + PARKING.jitter)
