"""The summary: two to four whole sentences of the mail, in its order.

A sentence's worth is its TextRank score, lifted where it opens the mail or its section, shares words with the
subject and has a readable length; lowered where it leans on a sentence before it, addresses the reader or asks.
Sentences that repeat a chosen one are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tournee.integrations.local.analyser.layout import Block, BlockKind, clean_line
from tournee.integrations.local.analyser.lexicon import Lexicon, read_boilerplate, stem_word
from tournee.integrations.local.analyser.ranking import Vector, measure_similarity, rank_by_walk, weigh_stems
from tournee.integrations.local.analyser.sentences import MAX_SENTENCE_CHARACTERS, Sentence, list_candidates
from tournee.integrations.local.analyser.title import cut_at_word
from tournee.integrations.local.analyser.words import find_words, list_stems

MAX_SUMMARY_CHARACTERS = 500
MAX_SENTENCES = 4
MAX_CANDIDATES = 300
"""Bounds the ranking's time; 300 sentences are some 30,000 characters of prose."""

_REDUNDANT_SIMILARITY = 0.45
_ENOUGH_CHARACTERS = 330
_FAINT_WORTH = 0.3
"""A sentence below this part of the best one's worth adds nothing."""

_SHOUTED_OPENING = re.compile(r"(?:[A-Z][A-Z.&'-]{1,30}\s){2,12}?[A-Z.&'-]{1,30}:\s")
"""`SPECIAL OFFER FROM US: …`: how advertisements open."""

_REPEATED_TITLE = 0.05
_RUN_IN_HEADING = 0.15
_HEADING_CHARACTERS = 60
_MEAGRE_CHARACTERS = 100
_MANY_HEADLINES = 5


def summarise(blocks: Sequence[Block], subject: str, lexicon: Lexicon) -> str:
    """A summary of at most `MAX_SUMMARY_CHARACTERS`; the headlines of a mail without sentences; else empty."""
    if not blocks:
        return ""
    candidates = list_candidates(blocks, lexicon, MAX_CANDIDATES)
    if not candidates:
        return _join_headlines(blocks, subject, lexicon)
    vectors = weigh_stems([list_stems(sentence.text, lexicon) for sentence in candidates])
    subject_stems = frozenset(list_stems(subject, lexicon))
    worths = [
        score * _weigh_sentence(sentence, vector, subject_stems, lexicon, position, blocks[-1].order)
        for position, (sentence, vector, score) in enumerate(
            zip(candidates, vectors, rank_by_walk(vectors), strict=True)
        )
    ]
    chosen = _choose(candidates, vectors, worths)
    summary = " ".join(candidates[position].text for position in sorted(chosen))
    if len(summary) < _MEAGRE_CHARACTERS and count_headlines(blocks) >= _MANY_HEADLINES:
        return _join_headlines(blocks, subject, lexicon) or summary
    return summary


def quote_beginning(text: str) -> str:
    """The beginning of a text that has neither sentences nor headlines; empty only for one without visible text."""
    return cut_at_word(clean_line(text) or text.strip(), MAX_SUMMARY_CHARACTERS)


def _weigh_sentence(
    sentence: Sentence,
    vector: Vector,
    subject_stems: frozenset[str],
    lexicon: Lexicon,
    position: int,
    last_order: int,
) -> float:
    worth = 1.0
    depth = sentence.block_order / max(1, last_order)
    worth *= 1.25 - 0.5 * depth
    worth *= 1.3 if position == 0 else 1.15 if position < 4 else 1.0
    worth *= 1.25 if sentence.place == 0 else 1.0 if sentence.place == 1 else 0.85
    if subject_stems:
        shared = sum(stem in vector for stem in subject_stems)
        worth *= 1 + 0.6 * min(1.0, shared / min(3, len(subject_stems)))
    length = len(sentence.text)
    worth *= 0.7 if length < 50 else 0.8 if length > 280 else 1.0
    if _repeats_title(vector, subject_stems):
        worth *= _REPEATED_TITLE
    if _is_run_in_heading(sentence, lexicon):
        worth *= _RUN_IN_HEADING
    return worth * _weigh_wording(sentence, lexicon)


def _repeats_title(vector: Vector, title_stems: frozenset[str]) -> bool:
    """Whether a sentence says hardly more than the title, which is shown above the summary."""
    return (len(title_stems) >= 2 and title_stems.issuperset(vector)) or (
        len(title_stems) >= 4 and title_stems.issubset(vector) and len(vector) <= len(title_stems) + 1
    )


def _is_run_in_heading(sentence: Sentence, lexicon: Lexicon) -> bool:
    """Whether a short first sentence of a paragraph has no verb of its own, as headings have none."""
    if sentence.place != 0 or len(sentence.text) > _HEADING_CHARACTERS or not lexicon.auxiliaries:
        return False
    if not sentence.text.endswith("."):
        return False
    words = {word.casefold() for word, _, _ in find_words(sentence.text, lexicon.language)}
    return lexicon.auxiliaries.isdisjoint(words)


def _weigh_wording(sentence: Sentence, lexicon: Lexicon) -> float:
    text = sentence.text
    words = [word.casefold().replace("’", "'") for word, _, _ in find_words(text, "")]
    worth = 1.0
    if _SHOUTED_OPENING.match(text):
        worth *= 0.3
    if words and (words[0] in lexicon.openers or text[:1] in "(["):
        worth *= 0.3
    if words and words[0] in lexicon.addressing:
        worth *= 0.35
    elif len(lexicon.addressing.intersection(words)) > 1:
        worth *= 0.7
    if read_boilerplate().masthead.are_in(text.casefold()):
        worth *= 0.3
    if text.rstrip("\"'»”) ").endswith("?"):
        worth *= 0.4
    elif text.rstrip("\"'»”) ").endswith(("!", "…", "...")):
        worth *= 0.7
    if any(character.isdigit() for character in text) and sum(map(str.isdigit, text)) > 0.08 * len(text):
        worth *= 0.7
    return worth


def _choose(candidates: Sequence[Sentence], vectors: Sequence[Vector], worths: Sequence[float]) -> list[int]:
    """Best first, within the length; the second best that fits rather than nothing."""
    chosen: list[int] = []
    length = 0
    best = max(worths)
    for position in sorted(range(len(candidates)), key=lambda p: (-worths[p], p)):
        text = candidates[position].text
        if len(chosen) == MAX_SENTENCES or (len(chosen) >= 2 and length >= _ENOUGH_CHARACTERS):
            break
        if length + len(text) > MAX_SUMMARY_CHARACTERS or (chosen and worths[position] < _FAINT_WORTH * best):
            continue
        if any(measure_similarity(vectors[position], vectors[other]) > _REDUNDANT_SIMILARITY for other in chosen):
            continue
        chosen.append(position)
        length += len(text) + 1
    return chosen


def _stands_alone(text: str, lexicon: Lexicon) -> bool:
    """Whether a line is neither the rest of another nor goes on in the next, and is not the newsletter's own name."""
    last = text.rsplit(" ", 1)[-1].casefold()
    return not (text[:1].islower() or last in lexicon.stop or read_boilerplate().masthead.are_in(text.casefold()))


def _join_headlines(blocks: Sequence[Block], subject: str, lexicon: Lexicon) -> str:
    """What a mail of nothing but headlines and teasers says, whole lines between middle dots."""
    shown = [block for block in blocks if _is_headline(block)]
    standing = [block for block in shown if _stands_alone(clean_line(block.text), lexicon)]
    headlines: list[str] = []
    length = 0
    folded_subject = subject.casefold()
    for block in standing or shown:
        text = clean_line(block.text).strip(" |")
        if (
            text.casefold() in folded_subject
            or any(text in headline for headline in headlines)
            or length + len(text) > MAX_SUMMARY_CHARACTERS - 9
        ):
            continue
        headlines.append(text)
        length += len(text) + 3
        if len(headlines) == MAX_SENTENCES - 1:
            break
    return " · ".join(headlines)


def _is_headline(block: Block) -> bool:
    if (
        block.kind is BlockKind.FRAGMENT
        or "://" in block.text
        or block.text.count("|") >= 2
        or read_boilerplate().frame.are_in(block.text.casefold())
    ):
        return False
    return 15 <= len(block.text) <= MAX_SENTENCE_CHARACTERS


def count_headlines(blocks: Sequence[Block]) -> int:
    """How many blocks could stand in a summary made of headlines."""
    return sum(map(_is_headline, blocks))


def share_stems(text: str, stems: frozenset[str], lexicon: Lexicon) -> int:
    """How many of `stems` occur in `text`."""
    return len(
        stems.intersection(
            stem_word(word.casefold(), lexicon.language) for word, _, _ in find_words(text, lexicon.language)
        )
    )
