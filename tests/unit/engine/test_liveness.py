"""Who is dead, from what one observer saw."""

from __future__ import annotations

from uuid import UUID

from tournee.engine.core.job import WorkerId
from tournee.engine.core.liveness import WorkerObserver, union

A, B, C, D = (WorkerId(UUID(int=number)) for number in range(1, 5))


def make_observer() -> WorkerObserver:
    return WorkerObserver(lease_seconds=5.0, longest_gap_seconds=2.5)


def look(observer: WorkerObserver, beats: dict[WorkerId, int], *moments: float) -> set[WorkerId]:
    """Look at the same beats at several moments; answers the last look's dead."""
    dead: set[WorkerId] = set()
    for moment in moments:
        dead = observer.observe(beats, moment)
    return dead


def test_a_worker_whose_beat_stays_the_same_for_a_lease_is_dead() -> None:
    observer = make_observer()

    assert look(observer, {A: 7}, 0, 2, 4, 4.9) == set()
    assert look(observer, {A: 7}, 5.0) == {A}


def test_a_beat_begins_a_new_lease() -> None:
    observer = make_observer()
    look(observer, {A: 7}, 0, 2, 4)
    look(observer, {A: 8}, 4.5)

    assert look(observer, {A: 8}, 6, 8, 9.4) == set()
    assert look(observer, {A: 8}, 9.5) == {A}


def test_an_observer_that_stood_still_begins_anew() -> None:
    observer = make_observer()
    look(observer, {A: 7}, 0, 2)

    assert look(observer, {A: 7}, 60.0) == set()
    assert look(observer, {A: 7}, 62, 64, 64.9) == set()
    assert look(observer, {A: 7}, 65.0) == {A}


def test_what_was_seen_before_a_failed_write_counts_for_nothing() -> None:
    observer = make_observer()
    look(observer, {A: 7}, 0, 2, 4)
    observer.forget()

    assert look(observer, {A: 7}, 5, 7, 9) == set()


def test_a_new_observer_declares_nobody_dead() -> None:
    assert look(make_observer(), {A: 1, B: 1, C: 1}, 100.0) == set()


def test_more_than_half_at_once_get_one_more_lease() -> None:
    observer = make_observer()
    beats = {A: 1, B: 1, C: 1, D: 1}
    looks = [float(moment) for moment in range(10)]

    assert look(observer, beats, *looks) == set()
    assert observer.suspects_mass_death
    assert look(observer, beats, 10.0) == {A, B, C, D}


def test_a_mass_death_that_passes_is_forgotten() -> None:
    observer = make_observer()
    look(observer, {A: 1, B: 1, C: 1}, 0, 2, 4, 5)
    assert observer.suspects_mass_death

    assert look(observer, {A: 2, B: 2, C: 1}, 6) == {C}
    assert not observer.suspects_mass_death


def test_one_of_two_dies_like_any_other() -> None:
    observer = make_observer()

    assert look(observer, {A: 1, B: 1}, 0, 2, 4, 5) == {A, B}


def test_a_worker_that_left_is_not_remembered() -> None:
    observer = make_observer()
    look(observer, {A: 1}, 0, 2, 4)
    look(observer, {}, 4.5)

    assert look(observer, {A: 1}, 5.5) == set()


def test_a_union_is_sorted_so_that_locks_are_taken_in_one_order() -> None:
    assert union([C, A], [B, A]) == [A, B, C]
