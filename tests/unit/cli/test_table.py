"""Tables fit where they are shown, and nothing is left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tournee.cli.table import Number, lay_out_table, measure, shorten, wrap

COLUMNS = ["queue", "pending", "last error"]
ROWS = [
    ["processMails", Number("12"), "JSONDecodeError: the answer stops in the middle of a word"],
    ["indexNews", Number("3"), "–"],
]


def lay_out(width: int | None) -> list[str]:
    return list(lay_out_table(COLUMNS, ROWS, width))


def test_in_a_pipe_each_row_is_one_line_however_long() -> None:
    assert lay_out(None) == [
        "queue         pending  last error",
        "────────────  ───────  ─────────────────────────────────────────────────────────",
        "processMails       12  JSONDecodeError: the answer stops in the middle of a word",
        "indexNews           3  –",
    ]


def test_in_a_narrow_terminal_the_widest_column_is_wrapped_between_words() -> None:
    assert lay_out(50)[2:4] == [
        "processMails       12  JSONDecodeError: the answer",
        "                       stops in the middle of a",
    ]


def test_in_a_terminal_that_is_too_narrow_each_row_is_a_block() -> None:
    lines = lay_out(30)
    assert lines[:3] == ["queue       processMails", "pending     12", "last error  JSONDecodeError:"]
    assert "" in lines


@given(st.integers(1, 200), st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), max_size=80))
def test_no_width_makes_a_word_disappear(width: int, text: str) -> None:
    printed = "".join("".join(lay_out_table(["a", "b"], [[text, Number("1")]], width)).split())
    for character in "".join(text.split()):
        assert character in printed


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs"]), max_size=60), st.integers(2, 40))
def test_wrapped_and_shortened_text_fits(text: str, width: int) -> None:
    assert all(measure(line) <= width for line in wrap(text, width))
    assert measure(shorten(text, width)) <= width


def test_wide_characters_count_twice_and_accents_not() -> None:
    assert (measure("日本"), measure("e\u0301"), measure("é")) == (4, 1, 1)
