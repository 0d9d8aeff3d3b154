"""The kind of an issue and how long it takes to read."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tournee.integrations.local.analyser.layout import Block, BlockKind
from tournee.integrations.local.analyser.lexicon import read_boilerplate
from tournee.integrations.local.analyser.words import count_reading_words

KINDS = ("newsletter", "digest", "announcement", "promotion", "event")

WORDS_PER_MINUTE = 220
"""Silent reading: adults read 238 words of English non-fiction a minute (Brysbaert 2019,
doi:10.1016/j.jml.2019.104047), languages with longer words fewer; 220 serves all. Two CJK characters count as one
word: 440 characters a minute."""

_PRICE = re.compile(r"(?:[€$£]\s?\d{1,6}|\d{1,6}(?:[.,]\d{2})?\s?(?:€|EUR\b|USD\b|\$|£)|\d{1,3}\s?%)")
_SHORT_WORDS = 350


def measure_reading_minutes(text: str) -> int:
    """Minutes to read all of the visible text, rounded up; 0 for a text without words."""
    return -(-count_reading_words(text) // WORDS_PER_MINUTE)


def choose_kind(subject: str, blocks: Sequence[Block]) -> str:
    """One of `KINDS`, by wording in the subject (which counts double) and the mail's beginning, prices and build."""
    kinds = read_boilerplate().kinds
    text = "\n".join(block.text for block in blocks[:120]).casefold()
    folded_subject = subject.casefold()
    words = max(1, len(text.split()))
    prices = len(_PRICE.findall(text))
    weigh = {kind: phrases.count(text, 4) + 3 * phrases.count(folded_subject, 2) for kind, phrases in kinds.items()}
    headings = sum(block.kind is BlockKind.HEADING for block in blocks)
    if (prices >= 3 and prices / words > 0.012 and weigh["promotion"] >= 2) or (weigh["promotion"] >= 5 and prices):
        return "promotion"
    if weigh["event"] >= 4 and words < 2 * _SHORT_WORDS:
        return "event"
    if weigh["digest"] >= 3 or (headings >= 8 and words / headings < 60):
        return "digest"
    if weigh["announcement"] >= (2 if words < _SHORT_WORDS else 5):
        return "announcement"
    return "newsletter"
