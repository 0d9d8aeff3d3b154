"""A reader's query, parsed: words, "phrases", -exclusions, alternatives parted by OR.

Any text is a query: what can't be understood is taken as words, what holds no word is left out. Lower-case `or` is a
word (it is gold in French).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tournee.integrations.local.index.wording import make_storable, normalise_words

MAX_QUERY_CHARACTERS = 500
MAX_CLAUSES = 16
MIN_OPEN_CHARACTERS = 3
"""From so many letters on, the last word may be the beginning of one: fewer find nearly everything."""

_PIECE = re.compile(r'(?P<minus>-?)"(?P<phrase>[^"]*)"?|(?P<bare>[^\s"]+)')


@dataclass(frozen=True, slots=True)
class Clause:
    """One word or phrase. `words` is normalised; `start` and `end` tell where `written` stands in the query."""

    words: str
    written: str
    alternative: int = 0
    excluded: bool = False
    is_phrase: bool = False
    open: bool = False
    start: int = 0
    end: int = 0


def cut_query(query: str) -> str:
    """The part of a query that is looked at, on one line."""
    return " ".join(make_storable(query[: 4 * MAX_QUERY_CHARACTERS]).split())[:MAX_QUERY_CHARACTERS]


def parse_query(query: str) -> list[Clause]:
    """The clauses of a query cut by `cut_query`; none for one without words."""
    clauses: list[Clause] = []
    alternative = 0
    for match in _PIECE.finditer(query):
        if match["bare"] in ("OR", "|", "||"):
            alternative += bool(clauses) and clauses[-1].alternative == alternative
            continue
        is_phrase = match["phrase"] is not None
        written = match["phrase"] if is_phrase else match["bare"]
        excluded = bool(match["minus"]) or (not is_phrase and written.startswith("-"))
        words = normalise_words(written)
        if words and len(clauses) < MAX_CLAUSES:
            clauses.append(Clause(words, written, alternative, excluded, is_phrase, False, match.start(), match.end()))
    return _open_last(clauses)


def _open_last(clauses: list[Clause]) -> list[Clause]:
    """The last bare word is being typed: its beginning is enough."""
    if clauses:
        last = clauses[-1]
        if not last.excluded and not last.is_phrase and last.words.isalnum() and len(last.words) >= MIN_OPEN_CHARACTERS:
            clauses[-1] = replace(last, open=True)
    return clauses


def replace_words(query: str, clauses: Sequence[Clause], replacements: dict[int, str]) -> str:
    """`query` with the clauses at some positions written anew."""
    parts: list[str] = []
    end = 0
    for position, clause in enumerate(clauses):
        if position in replacements:
            parts.append(query[end : clause.start])
            parts.append(replacements[position])
            end = clause.end
    return "".join(parts) + query[end:]


def measure_edits(first: str, second: str) -> int:
    """Letters inserted, left out, changed or swapped with their neighbour (optimal string alignment)."""
    before_last: list[int] = []
    last = list(range(len(second) + 1))
    for row, letter in enumerate(first, 1):
        current = [row]
        for column, other in enumerate(second, 1):
            cost = min(last[column] + 1, current[column - 1] + 1, last[column - 1] + (letter != other))
            if row > 1 and column > 1 and letter == second[column - 2] and first[row - 2] == other:
                cost = min(cost, before_last[column - 2] + 1)
            current.append(cost)
        before_last, last = last, current
    return last[-1]


def allow_edits(word: str) -> int:
    """How many edits a word forgives: none below four letters, one up to eight, two above."""
    return 0 if len(word) < 4 else 1 if len(word) <= 8 else 2
