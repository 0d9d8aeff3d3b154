"""Entities: names of people, organisations, places and products, by their shape alone.

A name is a run of capitalised words inside a sentence. Titles in capitals say nothing about names, so that only
prose is read; a lone capital at a sentence's start is no evidence. German writes every noun so: there a name needs
several words, an inner capital or a legal form.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from tournee.integrations.local.analyser.layout import Block, BlockKind
from tournee.integrations.local.analyser.lexicon import Lexicon
from tournee.integrations.local.analyser.sentences import split_sentences
from tournee.integrations.local.analyser.words import find_words, hide_addresses

MAX_ENTITIES = 10
_LONGEST_NAME_WORDS = 5
_PARTICLES = frozenset(
    {
        "of",
        "de",
        "du",
        "des",
        "d'",
        "la",
        "le",
        "van",
        "von",
        "der",
        "den",
        "del",
        "della",
        "di",
        "da",
        "dos",
        "&",
        "for",
        "für",
    }
)
_LEADING_PARTICLES = frozenset({"van", "von", "de", "di", "da", "du", "del"})
_LEGAL_FORMS = frozenset(
    {
        "gmbh",
        "ag",
        "kg",
        "inc",
        "ltd",
        "llc",
        "corp",
        "sa",
        "sas",
        "sarl",
        "spa",
        "srl",
        "bv",
        "nv",
        "plc",
        "e.v",
        "ev",
        "se",
    }
)
_CODE = re.compile(r"\.[a-z]\w*\.|\.[a-z]+[A-Z]|_")
_INNER_CAPITAL = re.compile(r"[a-zß-ÿ][A-Z]|[A-Z]{2}")
_UNITS = frozenset("TM MB GB TB KB MHz GHz".split())
_COMMON_ACRONYMS = frozenset(
    """OK FAQ PDF URL HTML HTTP HTTPS TV PC CEO CTO CFO UTC GMT CET CEST EST PST AM PM USD EUR ID IT PS NB TL DR PR DIY
    RSS XML CSS API IP CD DVD OS UI UX FREE NEW NEWS ALL NOT AND THE MWST""".split()
)


def extract_entities(blocks: Sequence[Block], lexicon: Lexicon) -> list[str]:
    """Up to `MAX_ENTITIES` names, the most frequent first, then in the order of the mail."""
    firm: Counter[str] = Counter()
    opening: Counter[str] = Counter()
    lower_case: set[str] = set()
    for block in blocks:
        if block.kind is not BlockKind.PROSE:
            continue
        for sentence in split_sentences(hide_addresses(block.text), lexicon):
            if _is_title_case(sentence):
                continue
            lower_case.update(word for word, _, _ in find_words(sentence, lexicon.language) if word.islower())
            for name, at_start in _find_names(sentence, lexicon):
                (opening if at_start else firm)[name] += 1
    for name, count in opening.items():
        if name in firm or (" " in name and lexicon.language != "de") or _INNER_CAPITAL.search(name):
            firm[name] += count
    return _pick(firm, lower_case, lexicon)


def _is_title_case(sentence: str) -> bool:
    words = [word for word in sentence.split() if word[0].isalpha()]
    return len(words) > 3 and sum(word[0].isupper() for word in words) > 0.7 * len(words)


def _find_names(sentence: str, lexicon: Lexicon) -> Iterator[tuple[str, bool]]:
    """Runs of capitalised words, and whether the run opens the sentence."""
    run: list[str] = []
    at_start = False
    previous_end = 0
    for position, (word, start, end) in enumerate(find_words(sentence, lexicon.language)):
        gap = sentence[previous_end:start]
        if (run and gap not in (" ", " & ", "-", ". ", "'", "’", " d'", " d’")) or (
            gap == ". " and run and len(run[-1]) > 1
        ):
            yield from _finish(run, at_start, lexicon)
            run = []
        if word[0].isupper() and run and word.casefold() in lexicon.stop and word.casefold() not in _PARTICLES:
            # `Latest Skins Now Sent`: no name goes on behind a word like that.
            yield from _finish(run, at_start, lexicon)
            run = []
        elif word[0].isupper():
            if not run:
                at_start = position == 0
            run.append(f"& {word}" if run and gap == " & " else word)
        elif run and word in _PARTICLES and lexicon.language != "de":
            run.append(word)
        else:
            yield from _finish(run, at_start, lexicon)
            run = []
        previous_end = end
    yield from _finish(run, at_start, lexicon)


def _finish(run: list[str], at_start: bool, lexicon: Lexicon) -> Iterator[tuple[str, bool]]:
    words = list(run)
    while words and (words[-1] in _PARTICLES or words[-1].casefold() in lexicon.stop):
        words.pop()
    if words and _is_structural(words[0], lexicon):
        at_start = False
        while words and (_is_structural(words[0], lexicon) or words[0] in _PARTICLES):
            words.pop(0)
    if words and len(words) <= _LONGEST_NAME_WORDS:
        yield " ".join(words), at_start


def _is_structural(word: str, lexicon: Lexicon) -> bool:
    folded = word.casefold().replace("’", "'")
    return (
        folded in lexicon.stop
        or folded in lexicon.openers
        or folded in lexicon.addressing
        or folded in lexicon.calendar
    )


def _pick(names: Counter[str], lower_case: set[str], lexicon: Lexicon) -> list[str]:
    kept = [
        (count * (1.6 if " " in name else 1.0), -order, name)
        for order, (name, count) in enumerate(names.items())
        if _is_name(name, count, lower_case, lexicon)
    ]
    chosen: list[str] = []
    for _, _, name in sorted(kept, reverse=True):
        if not any(_is_part(name, other) for other in chosen):
            chosen.append(name)
        if len(chosen) == MAX_ENTITIES:
            break
    return chosen


def _is_part(name: str, other: str) -> bool:
    return f" {name.casefold()} " in f" {other.casefold()} "


def _is_name(name: str, count: int, lower_case: set[str], lexicon: Lexicon) -> bool:
    words = name.split(" ")
    folded = [word.casefold() for word in words]
    if len(name) < 2 or any(len(word) > 30 for word in words) or name in _COMMON_ACRONYMS:
        return False
    if any(word.isupper() and word.casefold() in lexicon.stop for word in words) or _CODE.search(name):
        return False
    if any(part in lexicon.calendar for word in folded for part in word.split("-")) or max(map(len, words)) < 2:
        return False
    if not _UNITS.isdisjoint(words):
        return False
    if len(words) == 1:
        return _is_single_name(name, count, lower_case, lexicon)
    if all(word in lexicon.weak or word in lower_case for word in folded):
        return False
    if lexicon.language == "de":
        return count > 1 or bool(_LEGAL_FORMS.intersection(folded)) or words[0] not in lexicon.determiners
    return True


def _is_single_name(name: str, count: int, lower_case: set[str], lexicon: Lexicon) -> bool:
    folded = name.casefold()
    if folded in lower_case or folded in lexicon.weak or folded in lexicon.stop or folded in lexicon.peoples:
        return False
    if _INNER_CAPITAL.search(name):
        return len(name) <= 6 or not name.isupper()
    return lexicon.language != "de" and count > 1
