"""How much of a queue may stand in Redis."""

from __future__ import annotations

import pytest

from tournee.engine.core.window import WindowPolicy

POLICY = WindowPolicy(minimum=20, maximum=10_000)


@pytest.mark.parametrize(
    ("concurrency", "consumed", "size"),
    [(0, 0.0, 20), (4, 3.0, 20), (50, 10.0, 100), (50, 900.5, 900), (9_000, 0.0, 10_000), (1, 1e9, 10_000)],
)
def test_a_window_is_one_second_of_work_and_twice_the_concurrency_within_bounds(
    concurrency: int, consumed: float, size: int
) -> None:
    assert POLICY.size(concurrency, consumed) == size


def test_running_jobs_are_no_backlog() -> None:
    assert POLICY.limit(50, 0.0) == 150
