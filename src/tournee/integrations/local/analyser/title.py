"""The title: the subject without its transport marks, else the mail's first headline."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tournee.integrations.local.analyser.layout import Block, BlockKind, clean_line
from tournee.integrations.local.analyser.lexicon import read_boilerplate

MAX_TITLE_CHARACTERS = 200
_PREFIX = re.compile(
    r"(?:(?:re|fwd?|aw|wg|tr|rv|sv|vs|antw|i|r|enc|reenviado)\s?(?:\[\d+\])?:\s*|\[[\w .:/#-]{1,40}\]\s*(?=\S))",
    re.IGNORECASE,
)
_EDGES = re.compile(r"^[\W_]+|[\s\-–—|:•·~*_=<>]+$")
_KEPT_OPENING = re.compile(r"[\"'«“„‘(\[¿¡#$€£@]+$")


def clean_subject(subject: str) -> str:
    """A subject on one line, without reply marks, list tags and decoration at its ends."""
    text = clean_line(subject)
    while (match := _PREFIX.match(text)) and match.end() < len(text):
        text = text[match.end() :]
    opening = _EDGES.match(text)
    if opening and opening.start() == 0:
        kept = _KEPT_OPENING.search(opening[0])
        text = (kept[0] if kept else "") + text[opening.end() :]
    while text and not (text[-1].isalnum() or text[-1] in ".!?…)]\"'»”’%€$£+"):
        text = text[:-1]
    return cut_at_word(text, MAX_TITLE_CHARACTERS)


def choose_title(subject: str, blocks: Sequence[Block], sender: str) -> str:
    """The cleaned subject where it says something; else the first headline, the first line, the sender."""
    cleaned = clean_subject(subject)
    if cleaned and cleaned.casefold() not in read_boilerplate().generic_subjects:
        return cleaned
    for kinds in ({BlockKind.HEADING}, {BlockKind.PROSE}, {BlockKind.FRAGMENT}):
        for block in blocks:
            if block.kind in kinds and len(block.text) >= 4:
                return cut_at_word(clean_line(block.text), MAX_TITLE_CHARACTERS)
    return cleaned or cut_at_word(clean_line(sender), MAX_TITLE_CHARACTERS)


def cut_at_word(text: str, limit_characters: int) -> str:
    """`text`, or its beginning up to a word's end with an ellipsis."""
    if len(text) <= limit_characters:
        return text
    head = text[: limit_characters - 1]
    space = head.rfind(" ", limit_characters // 2)
    return head[: space if space > 0 else len(head)].rstrip(" ,;:-–—") + "…"
