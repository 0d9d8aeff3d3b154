"""When the ledger counts as well: it has answered each heartbeat, and lately."""

from __future__ import annotations

from tournee.engine.worker.strikes import SILENCE_SECONDS, Pulse


def test_a_ledger_that_answers_each_heartbeat_is_steady() -> None:
    pulse = Pulse()
    for now in range(100, 130):
        pulse.note_answer(float(now))
    assert pulse.was_steady(100.0, 129.5)


def test_it_is_not_before_the_first_answer_nor_for_a_time_before_it() -> None:
    pulse = Pulse()
    assert not pulse.was_steady(0.0, 0.0)
    pulse.note_answer(10.0)
    assert not pulse.was_steady(9.9, 10.1)


def test_one_heartbeat_that_was_not_written_ends_it() -> None:
    pulse = Pulse()
    pulse.note_answer(10.0)
    pulse.note_silence()
    assert not pulse.was_steady(10.0, 10.5)
    pulse.note_answer(11.0)
    assert not pulse.was_steady(10.0, 11.5)
    assert pulse.was_steady(11.0, 11.5)


def test_a_process_that_stood_still_knows_nothing_of_that_time() -> None:
    pulse = Pulse()
    pulse.note_answer(10.0)
    assert not pulse.was_steady(10.0, 10.1 + SILENCE_SECONDS)
    pulse.note_answer(11.0 + SILENCE_SECONDS)
    assert not pulse.was_steady(10.0, 11.1 + SILENCE_SECONDS)
