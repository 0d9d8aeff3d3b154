"""Topics: the few words and phrases that a mail is about, in the form the mail writes them.

Candidates are runs of one to three words that carry meaning (as in RAKE); they are counted by stem, so that `Paket`
and `Pakete` are one. What appears in the subject, in headings and in several places counts more (as in YAKE).
Without a grammar, nouns are told by what stands before them, and in German by their capital.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tournee.integrations.local.analyser.layout import Block, BlockKind
from tournee.integrations.local.analyser.lexicon import Lexicon, stem_word
from tournee.integrations.local.analyser.words import find_words, hide_addresses

MAX_TOPICS = 6
_LONGEST_PHRASE_WORDS = 3
_SUBJECT_ORDER = -1
_MAX_FAINT_TOPICS = 3
"""Topics seen only once are answered up to this many: better few than none."""

_SELDOM_NOUNS: dict[str, tuple[str, ...]] = {
    "en": ("ly", "ed", "ing", "est", "ful", "able"),
    "fr": ("ant", "er", "é", "ées", "ement", "eux"),
    "es": ("ando", "iendo", "mente", "ado", "ido"),
    "it": ("ando", "endo", "mente", "ato", "are", "ere", "ire"),
    "pt": ("ando", "endo", "mente", "ado", "ar", "er"),
    "nl": ("lijk", "lijke", "end"),
}
_GAPS = frozenset({" ", "-", " - "})


@dataclass(slots=True)
class _Candidate:
    """What was seen of one phrase."""

    words: int
    count: int = 0
    nounlike: int = 0
    capitalised: int = 0
    in_subject: bool = False
    in_headings: int = 0
    in_prose: int = 0
    blocks: set[int] = field(default_factory=set)
    surfaces: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Word:
    surface: str
    stem: str
    is_nounlike: bool


def extract_topics(blocks: Sequence[Block], subject: str, lexicon: Lexicon, sender: str = "") -> list[str]:
    """Up to `MAX_TOPICS` topics, the most telling first; none for a mail without words."""
    candidates: defaultdict[tuple[str, ...], _Candidate] = defaultdict(lambda: _Candidate(0))
    _collect(subject, _SUBJECT_ORDER, True, lexicon, candidates)
    for block in blocks:
        if block.kind is not BlockKind.FRAGMENT:
            _collect(block.text, block.order, block.kind is BlockKind.HEADING, lexicon, candidates)
    own_name = {stem_word(word.casefold(), lexicon.language) for word, _, _ in find_words(sender, lexicon.language)}
    scored = sorted(
        ((_score(key, seen, candidates, lexicon, own_name), key) for key, seen in candidates.items()), reverse=True
    )
    return _pick([(score, key) for score, key in scored if score > 0], candidates, lexicon)


def _collect(
    text: str,
    order: int,
    is_heading: bool,
    lexicon: Lexicon,
    candidates: defaultdict[tuple[str, ...], _Candidate],
) -> None:
    for run in _split_runs(hide_addresses(text), lexicon):
        for start in range(len(run)):
            for length in range(1, min(_LONGEST_PHRASE_WORDS, len(run) - start) + 1):
                phrase = run[start : start + length]
                seen = candidates[tuple(word.stem for word in phrase)]
                seen.words = length
                seen.count += 1
                seen.nounlike += phrase[0].is_nounlike or (length == 1 and start > 0)
                seen.capitalised += all(word.surface[0].isupper() for word in phrase)
                seen.blocks.add(order)
                seen.surfaces[" ".join(word.surface for word in phrase)] += 1
                seen.in_subject |= order == _SUBJECT_ORDER
                seen.in_headings += is_heading and order != _SUBJECT_ORDER
                seen.in_prose += not is_heading


def _split_runs(text: str, lexicon: Lexicon) -> Iterator[list[_Word]]:
    """Runs of neighbouring words that carry meaning, parted by stop words, numbers and punctuation."""
    run: list[_Word] = []
    previous_end, previous = 0, ""
    for surface, start, end in find_words(text, lexicon.language):
        folded = surface.casefold()
        if run and text[previous_end:start] not in _GAPS:
            yield run
            run = []
        if _is_empty_word(folded, lexicon):
            if run:
                yield run
            run = []
        else:
            nounlike = previous in lexicon.determiners or (bool(run) and run[-1].is_nounlike)
            run.append(_Word(surface, stem_word(folded, lexicon.language), nounlike))
        previous_end, previous = end, folded
    if run:
        yield run


def _is_empty_word(folded: str, lexicon: Lexicon) -> bool:
    return (
        len(folded) < 2
        or folded in lexicon.stop
        or folded in lexicon.addressing
        or folded.replace("’", "'") in lexicon.stop
        or (len(folded) == 2 and folded in lexicon.calendar)
    )


def _score(
    key: tuple[str, ...],
    seen: _Candidate,
    candidates: dict[tuple[str, ...], _Candidate],
    lexicon: Lexicon,
    own_name: set[str],
) -> float:
    surface = seen.surfaces.most_common(1)[0][0]
    words = surface.split(" ")
    weak = sum(word.casefold() in lexicon.weak for word in words)
    if seen.words == 1 and (weak or len(surface) < 3):
        return 0.0
    if words[0].casefold() in lexicon.calendar or weak == len(words) or words[-1].casefold() in lexicon.weak:
        return 0.0
    if seen.count < 2 and not (seen.in_subject and seen.words > 1 and seen.in_headings):
        return 0.0 if not seen.in_subject else 0.2 * (1 + seen.in_headings)
    score = seen.count * math.log(1 + len(seen.blocks) + 1)
    score *= {1: 1.0, 2: 1.9, 3: 2.0}[seen.words]
    score *= (1.6 if seen.in_subject else 1.0) * (1 + 0.15 * min(3, seen.in_headings))
    score *= _weigh_noun(seen, words, lexicon) * (0.6 if weak else 1.0)
    if seen.words > 1 and not seen.in_prose:
        score *= 0.35
    if own_name.issuperset(key):
        score *= 0.3
    if seen.words > 1 and all(candidates[(stem,)].count > 4 * seen.count for stem in key):
        score *= 0.5
    return score


def _weigh_noun(seen: _Candidate, words: Sequence[str], lexicon: Lexicon) -> float:
    capitalised = seen.capitalised / seen.count
    if lexicon.language == "de":
        return 1.2 if words[-1][0].isupper() and capitalised > 0.5 else 0.15
    if seen.words > 1:
        return 1.0
    noun = min(1.0, 1.4 * max(seen.nounlike / seen.count, 0.8 * capitalised))
    return (0.1 + 0.9 * noun) * (0.35 if words[0].casefold().endswith(_SELDOM_NOUNS.get(lexicon.language, ())) else 1.0)


def _pick(
    scored: Sequence[tuple[float, tuple[str, ...]]], candidates: dict[tuple[str, ...], _Candidate], lexicon: Lexicon
) -> list[str]:
    """The best, none of which holds words of another: a phrase takes the place of its parts, or they of it."""
    topics: list[str] = []
    taken: set[str] = set()
    for score, key in scored:
        if taken.intersection(key) or (score < 1 and len(topics) >= _MAX_FAINT_TOPICS):
            continue
        taken.update(key)
        topics.append(_show(candidates[key], lexicon))
        if len(topics) == MAX_TOPICS:
            break
    return topics


def _show(seen: _Candidate, lexicon: Lexicon) -> str:
    """The commonest spelling; lower case where a capital only came from a sentence's or heading's beginning."""
    surface = seen.surfaces.most_common(1)[0][0]
    lowered = sum(count for text, count in seen.surfaces.items() if text[0].islower())
    if lexicon.language != "de" and lowered >= 0.25 * seen.count and not surface.isupper():
        return max((text for text in seen.surfaces if text[0].islower()), key=lambda text: seen.surfaces[text])
    return surface
