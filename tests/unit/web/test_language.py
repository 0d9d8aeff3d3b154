"""Two languages: the same keys, the same places for values, each one's own typography."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tournee.web.console import language as words
from tournee.web.console.language import Localiser, UnknownText, choose_language, find_zone, load_catalogue

ENGLISH = Localiser("en", find_zone("UTC"))
FRENCH = Localiser("fr", find_zone("Europe/Paris"))
TEMPLATES = Path(words.__file__).parent / "templates"
SPACE = "\u202f"


def test_both_catalogues_hold_the_same_keys() -> None:
    assert set(load_catalogue("en")) == set(load_catalogue("fr"))


def test_both_catalogues_have_the_same_places_for_values() -> None:
    def list_places(text: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}

    french = load_catalogue("fr")
    assert {key for key, text in load_catalogue("en").items() if list_places(text) != list_places(french[key])} == set()


def test_every_text_that_a_template_asks_for_exists() -> None:
    known = set(load_catalogue("en"))
    known |= {key.removesuffix(".one") for key in known if key.endswith(".one")}
    asked = set()
    for template in TEMPLATES.rglob("*.html"):
        asked |= set(re.findall(r"\bt\([\"']([a-z_.]+)[\"']\s*[,)]", template.read_text(encoding="utf-8")))
    assert len(asked) > 100
    assert asked - known == set()


def test_every_text_is_asked_for() -> None:
    sources = [*TEMPLATES.rglob("*.html"), *TEMPLATES.parent.parent.rglob("*.py")]
    text = "\n".join(source.read_text(encoding="utf-8") for source in sources)
    built = {f"{prefix}." for prefix in re.findall(r"[\"'fF](\w+)\.(?:[\"']\s*~|\{)", text)} | {
        "queues.breaker_",
        "month.m",
    }
    unused = [
        key
        for key in (key.removesuffix(".one").removesuffix(".other") for key in load_catalogue("en"))
        if key not in text and not key.startswith(tuple(built))
    ]
    assert unused == []


def test_french_sets_a_narrow_space_before_double_signs() -> None:
    faults = [key for key, text in load_catalogue("fr").items() if re.search(r"(?<![\u202f\u00a0])[;:?!]", text)]
    assert faults == []


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(UnknownText):
        ENGLISH.text("nothing.here")


@pytest.mark.parametrize(
    ("n", "english", "french"),
    [
        (0, "0 dead letters", "0 tâche morte"),
        (1, "1 dead letter", "1 tâche morte"),
        (2, "2 dead letters", "2 tâches mortes"),
    ],
)
def test_each_language_counts_in_its_own_way(n: int, english: str, french: str) -> None:
    assert (ENGLISH.text("dead.count", n=n), FRENCH.text("dead.count", n=n)) == (english, french)


def test_numbers_are_written_as_the_reader_writes_them() -> None:
    assert (ENGLISH.number(1234567), ENGLISH.number(0.25, 2)) == ("1,234,567", "0.25")
    assert (FRENCH.number(1234567), FRENCH.number(0.25, 2)) == (f"1{SPACE}234{SPACE}567", "0,25")


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "–"), (-1, "0 ms"), (0.0021, "2 ms"), (0.9994, "999 ms"), (0.9996, "1.0 s"), (59.94, "59.9 s"),
     (61, "1 min"), (5400, "2 h"), (129600, "2 d"), (timedelta(seconds=3), "3.0 s")],
)  # fmt: skip
def test_a_length_of_time_is_as_short_as_it_can_be_read(value: float | None, said: str) -> None:
    assert ENGLISH.seconds(value).replace(SPACE, " ") == said


def iter_now(times: int) -> Iterator[datetime]:
    for _ in range(times):
        yield datetime.now(UTC)


def test_a_moment_of_today_is_a_clock_time_and_any_other_has_its_day() -> None:
    # Midnight may come between the two, and not twice.
    assert any(FRENCH.moment(now) == FRENCH.clock(now) for now in iter_now(2))
    assert FRENCH.moment(datetime(2002, 8, 31, 22, 30, tzinfo=UTC)) == "1 sept. 2002, 00:30"
    assert (ENGLISH.moment(None), ENGLISH.clock(None)) == ("–", "–")


@pytest.mark.parametrize(
    ("octets", "english", "french"),
    [(999, "999 B", "999 o"), (1000, "1.0 kB", "1,0 ko"), (2_500_000, "2.5 MB", "2,5 Mo")],
)
def test_sizes_have_the_readers_units(octets: int, english: str, french: str) -> None:
    assert ENGLISH.size(octets).replace(SPACE, " ") == english
    assert FRENCH.size(octets).replace(SPACE, " ") == french


def test_what_was_switched_to_goes_before_what_the_browser_asks_for() -> None:
    assert choose_language("fr", "en") == "fr"
    assert choose_language("tlh", "fr") == "fr"
    assert choose_language("fr", "fr", fixed="en") == "en"
    assert choose_language(None, "x" * 10_000 + ",fr") == "en"


@pytest.mark.parametrize("name", ["", "Nowhere/City", "../../../etc/passwd", "/etc/localtime", "a" * 500, "\0"])
def test_an_unknown_time_zone_is_utc(name: str) -> None:
    assert find_zone(name).key == "UTC"
