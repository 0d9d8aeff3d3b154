"""What readers find."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.index.conftest import find, make_document
from tournee.integrations.local.index import EmbeddedIndex

LIBRARY = [
    make_document(
        1, "The bridge reopens", "Engineers replaced rivets on the old harbour bridge. Version 6.0.5 is out."
    ),
    make_document(2, "Horaires du port", "Les événements de l’année ; l'équipe a été félicitée.", "fr"),
    make_document(3, "Häuser in München", "Die alten Häuser der Stadt werden saniert. Straßenbau beginnt.", "de"),
    make_document(
        4, "Garden weekly", "Tomatoes, garden tips; a bridge of flowers crosses the harbour.", topics=["Gardening"]
    ),
    make_document(5, "ニュース", "今日は東京で新しい製品が発表されました。", "ja"),
    make_document(6, "Confidential zebrafish", "A secret of somebody else.", owner_id=2),
    make_document(7, "El puerto", "Las noticias de la ciudad y del puerto.", "es"),
]


@pytest.fixture
async def library(index: EmbeddedIndex) -> EmbeddedIndex:
    assert await index.put(LIBRARY) == {}
    return index


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("engineer", {1}),
        ("bridges", {1, 4}),
        ("evenement", {2}),
        ("ÉVÉNEMENTS", {2}),
        ("félicité", {2}),
        ("haus", {3}),
        ("hauser munchen", {3}),
        ("strassenbau", {3}),
        ("noticia", {7}),
        ("東京", {5}),
        ("gardening", {4}),
        ("6.0.5", {1}),
        ("the bridge", {1, 4}),
        ("harbour letter", {1, 2, 3, 4, 5, 7}),
        ("tomatoes OR häuser", {3, 4}),
        ("bridge nowhere", set()),
    ],
)
async def test_words_are_found_in_any_form_and_language(library: EmbeddedIndex, query: str, found: set[int]) -> None:
    assert set(await find(library, query)) == found


async def test_a_phrase_is_found_in_its_order_only(library: EmbeddedIndex) -> None:
    assert await find(library, '"old harbour bridge"') == [1]
    assert await find(library, '"harbour old bridge"') == []


async def test_excluded_words_exclude_in_any_form(library: EmbeddedIndex) -> None:
    assert await find(library, "bridge -tomato") == [1]
    assert await find(library, 'bridge -"garden tips"') == [1]
    assert set(await find(library, "-bridge")) == {2, 3, 5, 7}


async def test_the_last_word_may_be_a_beginning(library: EmbeddedIndex) -> None:
    assert await find(library, "harbour engin") == [1]


async def test_a_match_in_the_title_comes_before_one_in_the_text(library: EmbeddedIndex) -> None:
    assert await find(library, "bridge") == [1, 4]


async def test_the_fresher_of_two_like_matches_comes_first(index: EmbeddedIndex) -> None:
    await index.put([make_document(number, "Bridge") for number in (5, 9, 7)])

    assert await find(index, "bridge") == [9, 7, 5]


async def test_a_date_in_the_future_gains_nothing(index: EmbeddedIndex) -> None:
    now = datetime.now(UTC)
    future = replace(make_document(1, "Bridge"), sent_at=now + timedelta(days=9_000))
    undated = replace(make_document(2, "Bridge"), sent_at=None)
    await index.put([future])
    await index.put([undated])

    assert await find(index, "") == [2, 1]


@pytest.mark.parametrize(
    ("query", "understood", "found"),
    [
        ("brigde", "bridge", {1, 4}),
        ("harbuor tomatos", "harbour tomatos", {4}),
        ("Rivtes", "rivets", {1}),
        ('birdge "old harbour"', 'bridge "old harbour"', {1}),
        ("brigde -tomatoes", "bridge -tomatoes", {1}),
    ],
)
async def test_typing_errors_are_mended_and_it_says_so(
    library: EmbeddedIndex, query: str, understood: str, found: set[int]
) -> None:
    result = await library.search(query, 1)

    assert ({hit.newsletter_id for hit in result.hits}, result.corrected) == (found, understood)


async def test_nothing_is_corrected_where_something_is_found_or_nothing_is_near(library: EmbeddedIndex) -> None:
    assert (await library.search("bridge", 1)).corrected is None
    assert (await library.search("qqqqqqqqqq", 1)).corrected is None
    assert (await library.search("brg", 1)).corrected is None


async def test_an_owner_finds_and_learns_nothing_of_another(library: EmbeddedIndex) -> None:
    assert await find(library, "zebrafish", 1) == []
    mended = await library.search("zebrafsh", 1)
    assert (mended.total, mended.corrected) == (0, None)
    assert 6 not in await find(library, "", 1)
    assert await find(library, "zebrafish", 2) == [6]
    assert await find(library, "", 2) == [6]
    assert await find(library, "zebrafsh", None) == [6]
    assert await find(library, "bridge", 3) == []


async def test_snippets_are_plain_text_with_marked_matches(library: EmbeddedIndex) -> None:
    first = (await library.search("rivets", 1)).hits[0]

    assert "replaced \ue000rivets\ue001 on the old" in first.snippet
    assert (first.title, first.sender, first.language) == ("The bridge reopens", "The Harbour Letter", "en")
    assert first.sent_at == LIBRARY[0].sent_at
    assert first.rank > 0


async def test_no_mail_can_forge_a_mark(index: EmbeddedIndex) -> None:
    await index.put([make_document(1, "Bridge", "A \ue000forged\ue001 mark on a bridge.")])

    assert "\ue000forged" not in (await index.search("mark", 1)).hits[0].snippet


async def test_pages_follow_one_another_and_the_total_counts_all(index: EmbeddedIndex) -> None:
    await index.put([make_document(number, "Bridge") for number in range(1, 46)])

    for query in ("bridge", ""):
        pages = [await index.search(query, 1, 20, offset) for offset in (0, 20, 40, 60)]

        assert [len(page.hits) for page in pages] == [20, 20, 5, 0]
        assert {page.total for page in pages} == {45}
        assert len({hit.newsletter_id for page in pages for hit in page.hits}) == 45


async def test_an_empty_query_finds_the_latest(library: EmbeddedIndex) -> None:
    assert await find(library, "  ") == [7, 5, 4, 3, 2, 1]


async def test_an_empty_index_finds_nothing(index: EmbeddedIndex) -> None:
    for query in ("", "bridge", '"a b" -c'):
        result = await index.search(query, 1)
        assert (list(result.hits), result.total, result.corrected) == ([], 0, None)


@pytest.mark.parametrize(
    "query",
    [
        "x" * 10_000,
        "word " * 2_000,
        '"' * 999,
        "'" * 999,
        "-" * 999,
        "\x00",
        "bri\x00dge",
        "\ud800",
        "((((",
        "a & b | !c <-> d:*A",
        "!!!",
        "\\",
        "%_",
        "$1; DROP TABLE news.search_documents",
        "OR OR",
        ":o2 :cfr",
        "💚",
        '-"',
        "''':*",
        "٣٤٥ ²³ ①",
    ],
    ids=lambda query: repr(query[:12]),
)
async def test_hostile_queries_are_answered_and_change_nothing(library: EmbeddedIndex, query: str) -> None:
    result = await library.search(query, 1, 10**9, -5)

    assert result.total >= len(result.hits)
    assert await find(library, "bridge") == [1, 4]


async def test_any_text_is_a_query(library: EmbeddedIndex) -> None:
    tried: list[str] = []

    @given(query=st.text(max_size=60))
    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def collect(query: str) -> None:
        tried.append(query)

    collect()
    for query in tried:
        result = await library.search(query, 1)
        assert result.total >= len(result.hits)
