"""How long a short statement is waited for, and that nobody is given up for being slow again and again."""

from __future__ import annotations

import asyncio

import pytest

from tournee.engine.ports import LedgerUnavailable
from tournee.engine.postgres.patience import LONGEST_SECONDS, PROMPT_SECONDS, Patience


def test_what_was_given_up_is_waited_for_twice_as_long_up_to_a_bound() -> None:
    patience = Patience()
    allowed = []
    for _ in range(6):
        allowed.append(patience.allow("claim"))
        patience.note_silence("claim", allowed[-1])
    assert allowed == [PROMPT_SECONDS, 8.0, 16.0, LONGEST_SECONDS, LONGEST_SECONDS, LONGEST_SECONDS]
    assert patience.allow("mark") == PROMPT_SECONDS, "another statement is none the slower for it"


def test_many_that_were_given_up_at_once_double_it_once() -> None:
    patience = Patience()
    for _ in range(10):
        patience.note_silence("claim", PROMPT_SECONDS)
    assert patience.allow("claim") == 2 * PROMPT_SECONDS


def test_what_is_slow_keeps_room_and_what_is_quick_again_needs_none() -> None:
    patience = Patience()
    patience.note_silence("mark", 8.0)
    patience.note_answer("mark", 6.0)
    assert patience.allow("mark") == 12.0
    patience.note_answer("mark", 0.01)
    assert patience.allow("mark") == PROMPT_SECONDS


async def test_what_is_not_answered_in_its_time_is_an_outage() -> None:
    patience = Patience(prompt_seconds=0.01)
    with pytest.raises(LedgerUnavailable):
        async with patience.bound("claim"):
            await asyncio.Event().wait()
    assert patience.allow("claim") == 0.02


async def test_a_time_out_of_somebody_elses_stays_what_it_is() -> None:
    patience = Patience(prompt_seconds=60)
    with pytest.raises(TimeoutError):
        async with patience.bound("claim"):
            raise TimeoutError
    assert patience.allow("claim") == 60
