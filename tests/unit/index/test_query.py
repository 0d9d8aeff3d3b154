"""A reader's query, taken apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tournee.integrations.local.index.query import (
    MAX_CLAUSES,
    MAX_QUERY_CHARACTERS,
    allow_edits,
    cut_query,
    measure_edits,
    parse_query,
    replace_words,
)
from tournee.integrations.local.index.wording import list_vocabulary, make_storable, normalise_words


def test_words_phrases_and_exclusions_are_told_apart() -> None:
    clauses = parse_query('harbour "new bridge" -ferry -"old quay" tra')

    assert [(clause.words, clause.is_phrase, clause.excluded, clause.open) for clause in clauses] == [
        ("harbour", False, False, False),
        ("new bridge", True, False, False),
        ("ferry", False, True, False),
        ("old quay", True, True, False),
        ("tra", False, False, True),
    ]


def test_or_in_capitals_parts_alternatives() -> None:
    assert [clause.alternative for clause in parse_query("ship OR boat or raft")] == [0, 1, 1, 1]
    assert [clause.alternative for clause in parse_query("OR OR ship OR")] == [0]


@pytest.mark.parametrize("query", ["", "!!!", '""', "-", "((", "💚", "'"])
def test_a_query_without_words_has_no_clauses(query: str) -> None:
    assert parse_query(cut_query(query)) == []


@given(st.text(max_size=3_000))
def test_any_text_is_a_bounded_query(text: str) -> None:
    cut = cut_query(text)
    clauses = parse_query(cut)

    assert len(cut) <= MAX_QUERY_CHARACTERS
    assert len(clauses) <= MAX_CLAUSES
    assert "\x00" not in cut
    assert replace_words(cut, clauses, {}) == cut


def test_replaced_words_stand_where_the_old_ones_stood() -> None:
    query = 'debain "stable version" rlease -old'

    assert (
        replace_words(query, parse_query(query), {0: "debian", 2: "release"}) == 'debian "stable version" release -old'
    )


@pytest.mark.parametrize(
    ("first", "second", "edits"),
    [
        ("debain", "debian", 1),
        ("bridge", "bridge", 0),
        ("bridge", "bride", 1),
        ("abc", "", 3),
        ("kitten", "sitting", 3),
    ],
)
def test_edits_are_counted_as_a_typist_makes_them(first: str, second: str, edits: int) -> None:
    assert measure_edits(first, second) == edits
    assert measure_edits(second, first) == edits


def test_short_words_forgive_nothing() -> None:
    assert [allow_edits(word) for word in ("abc", "abcd", "abcdefgh", "abcdefghi")] == [0, 1, 1, 2]


def test_both_sides_of_the_search_are_normalised_alike() -> None:
    assert normalise_words("L’équipe — and/or “covid-19” v6.0.5.") == "l équipe and or covid 19 v6.0.5"
    assert normalise_words("東京2024") == "東 京 2024"


def test_the_vocabulary_holds_alphabetic_words_of_4_to_30_letters() -> None:
    text = normalise_words(f"The bridge: bridge, c3po, node.js me@mail.example {'x' * 31} Zoë's Brücke")

    assert list_vocabulary([text]) == ["bridge", "brücke"]


def test_what_postgresql_cannot_hold_is_taken_out_and_texts_are_cut_between_characters() -> None:
    assert make_storable("a\x00b\ud800c\ue000d") == "abcd"
    assert make_storable("é" * 10, 7) == "ééé"
