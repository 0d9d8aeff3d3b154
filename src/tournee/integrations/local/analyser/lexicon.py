"""Words by language: what carries structure rather than topic, and the wording of the frame around a newsletter.

Owns the files in `lexicon/`. A language without a file of its own gets an empty lexicon: everything still works,
less finely. It refuses to decide anything: callers do.
"""

from __future__ import annotations

import re
import threading
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

LANGUAGES = ("en", "fr", "de", "es", "it", "pt", "nl")
"""The languages with a lexicon of their own."""

_STEMMERS = {
    "en": "english",
    "fr": "french",
    "de": "german",
    "es": "spanish",
    "it": "italian",
    "pt": "portuguese",
    "nl": "dutch",
    "sv": "swedish",
    "da": "danish",
    "no": "norwegian",
    "nb": "norwegian",
    "fi": "finnish",
    "ru": "russian",
    "pl": "polish",
    "el": "greek",
    "ro": "romanian",
    "hu": "hungarian",
    "tr": "turkish",
    "ca": "catalan",
    "cs": "czech",
    "ar": "arabic",
}
_SHORT_PHRASE_CHARACTERS = 5


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The words of one language, casefolded."""

    language: str
    stop: frozenset[str] = frozenset()
    weak: frozenset[str] = frozenset()
    """Words of every newsletter (week, click, edition): no topics by themselves."""
    determiners: frozenset[str] = frozenset()
    """Words before which a noun stands."""
    abbreviations: frozenset[str] = frozenset()
    calendar: frozenset[str] = frozenset()
    openers: frozenset[str] = frozenset()
    """Words that begin a sentence which leans on the one before."""
    addressing: frozenset[str] = frozenset()
    """Words that begin a greeting, a call to act or the writer's own small talk."""
    auxiliaries: frozenset[str] = frozenset()
    """The commonest verbs: few sentences do without one, and few headings hold one."""
    peoples: frozenset[str] = frozenset()
    """Languages and peoples: written with a capital, and no names."""


class Phrases:
    """A set of casefolded phrases to look for in a text; short ones match whole words only."""

    __slots__ = ("_long", "_short")

    def __init__(self, phrases: Iterable[str]) -> None:
        given = tuple(phrases)
        self._long = tuple(phrase for phrase in given if len(phrase) > _SHORT_PHRASE_CHARACTERS)
        self._short = frozenset(phrase for phrase in given if len(phrase) <= _SHORT_PHRASE_CHARACTERS)

    def are_in(self, folded: str) -> bool:
        return self.count(folded, at_most=1) > 0

    def count(self, folded: str, at_most: int = 1_000) -> int:
        """How many different phrases occur in a casefolded text, counted up to `at_most`."""
        found = len(self._short.intersection(re.findall(r"[^\s,.;:!?()]+", folded)))
        for phrase in self._long:
            if found >= at_most:
                break
            found += phrase in folded
        return found


@dataclass(frozen=True, slots=True)
class Boilerplate:
    """The wording of the frame around a newsletter, in all languages at once."""

    frame: Phrases
    footer: Phrases
    buttons: frozenset[str]
    masthead: Phrases
    """Wording of a newsletter about itself."""
    closings: tuple[str, ...]
    """How a letter takes leave; at a sentence's start."""
    link_text: Phrases
    link_address: tuple[str, ...]
    generic_subjects: frozenset[str]
    kinds: dict[str, Phrases]


def _read_file(name: str) -> dict[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath("lexicon", name).read_text(encoding="utf-8"))


@lru_cache(maxsize=64)
def read_lexicon(language: str) -> Lexicon:
    """The words of a language (two letters); empty for one without a file."""
    if language not in LANGUAGES:
        return Lexicon(language)
    words = {name: frozenset(text.casefold().split()) for name, text in _read_file(f"{language}.toml").items()}
    return Lexicon(language, **(words | {"stop": words["stop"] | words["determiners"]}))


@lru_cache(maxsize=1)
def read_boilerplate() -> Boilerplate:
    """The wording of the frame, read once per process."""
    parts = _read_file("boilerplate.toml")
    return Boilerplate(
        frame=Phrases(parts["frame"]),
        footer=Phrases(parts["footer"]),
        buttons=frozenset(parts["buttons"]),
        masthead=Phrases(parts["masthead"]),
        closings=tuple(parts["closings"]),
        link_text=Phrases(parts["link_text"]),
        link_address=tuple(parts["link_address"]),
        generic_subjects=frozenset(parts["generic_subjects"]),
        kinds={kind: Phrases(phrases) for kind, phrases in parts["kinds"].items()},
    )


_of_thread = threading.local()
# A stemmer holds the word it works on, so that each thread needs one of its own.


@lru_cache(maxsize=50_000)
def stem_word(word: str, language: str) -> str:
    """The Snowball stem of a casefolded word; the word itself in a language without a stemmer."""
    algorithm = _STEMMERS.get(language)
    if algorithm is None:
        return word
    stemmers = _of_thread.__dict__.setdefault("stemmers", {})
    if algorithm not in stemmers:
        import snowballstemmer  # noqa: PLC0415 - slow to import: only where used

        stemmers[algorithm] = snowballstemmer.stemmer(algorithm)
    stem: str = stemmers[algorithm].stemWord(word)
    return stem
