"""All fifteen, by number. Owns the list that `check_all` walks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tests.support.invariants.checks_broker import (
    check_both_sides_agree_at_rest,
    check_dead_letters_are_kept_and_shown,
)
from tests.support.invariants.checks_effects import (
    check_effects_iff_completed,
    check_follow_ups_iff_parent_completed,
    check_no_row_no_execution,
    check_only_the_newest_lease_writes,
)
from tests.support.invariants.checks_ledger import (
    check_acknowledged_is_in_the_ledger,
    check_attempts_count_own_failures,
    check_ends_terminal_or_is_in_one_live_state,
    check_one_row_per_key,
    check_rolled_back_enqueue_never_runs,
)
from tests.support.invariants.checks_recovery import (
    check_crashes_have_their_own_budget,
    check_live_jobs_run_again_after_a_flush,
    check_nothing_starts_before_its_time,
    check_terminal_changes_are_audited,
)
from tests.support.invariants.evidence import Evidence, Violation

Check = Callable[[Evidence, bool], Iterator[str]]

CHECKS: Mapping[int, Check] = {
    1: check_ends_terminal_or_is_in_one_live_state,
    2: check_one_row_per_key,
    3: check_effects_iff_completed,
    4: check_follow_ups_iff_parent_completed,
    5: check_rolled_back_enqueue_never_runs,
    6: check_only_the_newest_lease_writes,
    7: check_terminal_changes_are_audited,
    8: check_attempts_count_own_failures,
    9: check_crashes_have_their_own_budget,
    10: check_dead_letters_are_kept_and_shown,
    11: check_live_jobs_run_again_after_a_flush,
    12: check_nothing_starts_before_its_time,
    13: check_no_row_no_execution,
    14: check_both_sides_agree_at_rest,
    15: check_acknowledged_is_in_the_ledger,
}


def check_all(evidence: Evidence, *, at_rest: bool) -> list[Violation]:
    """Every violation, by invariant. Pure.

    `at_rest`: no fault is under way, and what was due has had the time to end; what waits for its run_at, or in a queue
    that is paused or whose breaker is not closed, may still be live.
    """
    return [
        Violation(number, check.__name__.removeprefix("check_"), what)
        for number, check in CHECKS.items()
        for what in check(evidence, at_rest)
    ]


def assert_all_hold(evidence: Evidence, *, at_rest: bool) -> None:
    """Fail with every violation on a line of its own."""
    violations = check_all(evidence, at_rest=at_rest)
    assert not violations, "\n  " + "\n  ".join(str(violation) for violation in violations[:50])
