"""Sentences: where one ends and the next begins, and which of them can stand in a summary.

The splitter knows abbreviations, initials, ordinal numbers and closing quotes; when in doubt it does not split,
because a long sentence reads better than half a one. A sentence is never cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tournee.integrations.local.analyser.layout import Block, BlockKind
from tournee.integrations.local.analyser.lexicon import Lexicon, read_boilerplate
from tournee.integrations.local.analyser.words import count_cjk

MAX_SENTENCE_CHARACTERS = 380
_MIN_WORDS = 5
_MIN_CJK = 10

_END = re.compile(r"[.!?…]{1,4}[\"'»”’)\]]{0,3}(?=\s)|[。！？][」』”）]?")
_OPENING = re.compile(r"\s+[\"'«“„‘(\[¿¡–—-]{0,3}\s?(?=[^\W_])")
_LAST_TOKEN = re.compile(r"\S{1,40}$")
_NUMBER = re.compile(r"\(?\d{1,2}")
_LEGAL_ABBREVIATIONS = frozenset({"co", "inc", "ltd", "corp", "st", "dr", "prof", "vs", "etc", "no", "nr"})
_ADDRESS = re.compile(r"https?:|www\.|\S@\S|\.(?:com|org|net|html?|fr|de)/")
_COMPLETE = re.compile(r"[.!?…。！？][\"'»”’)\]」』]{0,3}$")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, the order of its block in the mail, and its place in that block."""

    text: str
    block_order: int
    place: int


def split_sentences(text: str, lexicon: Lexicon) -> Iterator[str]:
    """The sentences of one unwrapped block, whole, in order."""
    start = 0
    for match in _END.finditer(text):
        end = match.end()
        if match[0][0] not in "。！？" and not _is_boundary(text, start, match, lexicon):
            continue
        if sentence := text[start:end].strip():
            yield sentence
        start = end
    if rest := text[start:].strip():
        yield rest


def _is_boundary(text: str, start: int, match: re.Match[str], lexicon: Lexicon) -> bool:
    opening = _OPENING.match(text, match.end())
    if opening is None:
        return False
    following = text[opening.end()]
    if following.islower():
        return False
    if match[0][0] != ".":
        return True
    token_match = _LAST_TOKEN.search(text[start : match.start()])
    token = token_match[0].lstrip("(«„“\"'") if token_match else ""
    if token.casefold() in lexicon.abbreviations or token.casefold() in _LEGAL_ABBREVIATIONS:
        return False
    if len(token) == 1 and token.isalpha():
        return False
    if re.fullmatch(r"(?:[^\W\d_]\.)+[^\W\d_]", token):
        return False
    # German ordinals (`am 3. Oktober`) end in a full stop; a sentence seldom ends in a number below 100 there.
    return not (lexicon.language in ("de", "nl") and _NUMBER.fullmatch(token))


def list_candidates(blocks: Sequence[Block], lexicon: Lexicon, limit: int) -> list[Sentence]:
    """The sentences that may stand in a summary, in reading order, at most `limit`, none twice."""
    found: list[Sentence] = []
    seen: set[str] = set()
    for block in blocks:
        if block.kind is not BlockKind.PROSE:
            continue
        for place, text in enumerate(split_sentences(block.text, lexicon)):
            if text not in seen and can_stand(text, lexicon):
                seen.add(text)
                found.append(Sentence(text, block.order, place))
            if len(found) >= limit:
                return found
    return found


def can_stand(text: str, lexicon: Lexicon) -> bool:
    """True for a whole, readable sentence of the issue's content."""
    if not 25 <= len(text) <= MAX_SENTENCE_CHARACTERS and count_cjk(text) < _MIN_CJK:
        return False
    if not _COMPLETE.search(text) or _ADDRESS.search(text):
        return False
    first = text.lstrip("\"'«“„‘([¿¡ ")[:1]
    if not first or first.islower() or text[0] in "*†‡" or text.count("(") != text.count(")") or text.count('"') % 2:
        return False
    letters = sum(character.isalpha() for character in text)
    capitals = sum(character.isupper() for character in text)
    if letters < 0.65 * len(text) or capitals > 0.4 * letters:
        return False
    if _takes_leave(text):
        return False
    if "|" in text or text.count(" - ") > 2 or read_boilerplate().frame.are_in(text.casefold()):
        return False
    return _has_grammar(text, lexicon)


def _takes_leave(text: str) -> bool:
    folded = text.lstrip("\"'«“„‘([¿¡ ").casefold().replace("’", "'")
    return any(
        folded.startswith(closing) and not folded[len(closing) : len(closing) + 1].isalpha()
        for closing in read_boilerplate().closings
    )


def _has_grammar(text: str, lexicon: Lexicon) -> bool:
    """A sentence has function words; a list of names or products has none."""
    if count_cjk(text) >= _MIN_CJK:
        return True
    words = [word.strip("\"'«»“”„‘’(),.;:!?…") for word in text.casefold().replace("’", "'").split()]
    if len(words) < _MIN_WORDS:
        return False
    if not lexicon.stop:
        return True
    return sum(word in lexicon.stop or "'" in word for word in words) >= max(2, len(words) // 8)
