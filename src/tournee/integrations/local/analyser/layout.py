"""Blocks: the line structure of a newsletter's visible text, made explicit.

A mail's text has headings, list items, prose that was wrapped at 72 columns, navigation, prices and a footer. This
module joins what was wrapped, tells those apart and drops the frame (rules of dashes, signatures, buttons, the
footer). It refuses to cut inside a block.
"""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from tournee.integrations.local.analyser.lexicon import read_boilerplate

BUDGET_CHARACTERS = 60_000
"""How much of a mail is looked at: far above the longest real issue's content, and a bound on time."""

_HEADING_CHARACTERS = 100
_FOOTER_FROM = 0.6
"""The footer is looked for in the last 40 % of the blocks."""

_INVISIBLE = re.compile(
    r"[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\ue000\ue001\x00-\x08\x0b-\x1f\x7f]"
)
_SPACES = re.compile(r"[ \t\u00a0\u2000-\u200a\u202f\u205f\u3000]+")
_BLOCK_TAG = re.compile(r"</?(?:p|br|li|ul|ol|div|h[1-6]|t[drh]|table|d[tdl]|pre|hr)\b[^<>]{0,500}>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][^<>@]{0,1000}>|<!--[^<>]{0,1000}-->")
_MARKDOWN_LINK = re.compile(r"!?\[([^\[\]\n]{0,300})\]\((?:[^()\s]{1,2000})\)")
_REFERENCE_LINK = re.compile(r"\[([^\[\]\n]{1,300})\]\[[^\[\]\n]{0,80}\]")
_REFERENCE = re.compile(r"^\s{0,3}\[[^\[\]\n]{1,80}\]:\s{1,9}\S{1,2000}\s*$", re.MULTILINE)
_BRACKETED_ADDRESS = re.compile(r"[<(\[]\s?(?:https?://|mailto:|www\.)[^\s<>()\[\]]{1,2000}\s?[>)\]]")
_FOOTNOTE = re.compile(r"\\(?=\s)|\s?\\?\[\d{1,3}\\?\]")
_RULE = re.compile(r"[_=*~#+|.\-–—]{4,}")
_EMPHASIS = re.compile(r"(?<!\w)([*_]{1,3})(?=\S)([^*_\n]{1,200})(?<=\S)\1(?!\w)")
_BULLET = re.compile(r"(?:[•·▪►▸▶‣○●■◆★☆✓✔✅→»›>*+o–—-]|\d{1,2}[.)]|\(\d{1,2}\)|#{1,6}|={2,6})\s+(?=\S)")
_HEADING_MARK = re.compile(r"#{1,6}\s+|={2,6}\s+")
_HEADING_CLOSE = re.compile(r"\s*[=#]{2,6}$")
_ARMOUR = re.compile(r"-----BEGIN PGP SIGNATURE-----.*", re.DOTALL)
_TECHNICAL = re.compile(
    r"-----(?:BEGIN|END) [A-Z ]+-----|Hash: \w+|#?\s?\$Id|@\w+ = |#use |<[a-z]+ |\[?(?:image|cid|img):", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"[.!?…。！？][\"'»”’)\]]*$")
_POINTERS = (" here", " hier", " ici", " aquí", " qui", " aqui")
_LETTER = re.compile(r"[^\W\d_]")


class BlockKind(StrEnum):
    """What a block is by its shape: prose holds sentences, a fragment neither says nor names anything."""

    HEADING = "heading"
    PROSE = "prose"
    FRAGMENT = "fragment"


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, list item, heading or lone line, unwrapped, on one line. `order` counts in reading order."""

    kind: BlockKind
    text: str
    order: int


def clean_line(text: str) -> str:
    """Text on one line, free of invisible characters and of runs of spaces."""
    return _SPACES.sub(" ", _INVISIBLE.sub("", text.replace("\n", " "))).strip()


def cut_to_budget(text: str, budget_characters: int = BUDGET_CHARACTERS) -> str:
    """The beginning of `text`, up to a line end where there is one near the limit."""
    if len(text) <= budget_characters:
        return text
    line_end = text.rfind("\n", budget_characters // 2, budget_characters)
    return text[: line_end if line_end > 0 else budget_characters]


def split_blocks(text: str) -> list[Block]:
    """The content blocks of a visible text in reading order, frame and footer left out."""
    lines = _prepare_lines(unicodedata.normalize("NFC", text))
    joined = _join_wrapped(lines)
    blocks = [_classify(line, order) for order, line in enumerate(joined) if _is_content(line)]
    return _drop_footer(blocks)


def _prepare_lines(text: str) -> list[str]:
    text = _ARMOUR.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n"))
    text = _drop_markup(_INVISIBLE.sub("", text))
    text = _REFERENCE_LINK.sub(r"\1", _MARKDOWN_LINK.sub(r"\1", _REFERENCE.sub("", text)))
    text = _RULE.sub("\n", text)
    text = _FOOTNOTE.sub("", _BRACKETED_ADDRESS.sub("", text))
    return [_EMPHASIS.sub(r"\2", _SPACES.sub(" ", line)).strip() for line in text.split("\n")]


def _drop_markup(text: str) -> str:
    """Text that was meant as HTML but sent as plain text, without its tags and entities."""
    if "</" in text:
        text = html.unescape(_TAG.sub("", _BLOCK_TAG.sub("\n", text)))
    return text


def _join_wrapped(lines: list[str]) -> list[str]:
    """Paragraphs out of hard-wrapped lines; lines that stand for themselves stay so.

    Two neighbours belong together when the second goes on in lower case, or when the text is hard-wrapped and the
    second's first word had no room on the first.
    """
    width = _find_wrap_width(lines)
    blocks: list[str] = []
    previous = ""
    for line in lines:
        if previous and line and _continues(previous, line, width):
            blocks[-1] = f"{blocks[-1]} {line}"
        elif line:
            blocks.append(line)
        previous = line
    return blocks


def _continues(previous: str, line: str, width: int | None) -> bool:
    if _BULLET.match(line) or not _LETTER.search(previous):
        return False
    if len(previous) >= 30 and line[0].islower():
        return True
    if width is None:
        return False
    first_word = line.split(" ", 1)[0]
    return len(previous) + 1 + len(first_word) > width - 6 and len(previous) <= width + 4


def _find_wrap_width(lines: list[str]) -> int | None:
    """The column a text was wrapped at, or None for one that was not."""
    long_lines = sum(len(line) > 100 for line in lines)
    continued = sum(len(first) >= 45 and second[:1].islower() for first, second in pairwise(lines))
    lengths = sorted(len(line) for line in lines if 45 <= len(line) <= 100)
    if continued < 3 or long_lines > continued or not lengths:
        return None
    return lengths[len(lengths) * 9 // 10]


def _is_content(line: str) -> bool:
    return bool(_LETTER.search(line)) and not _TECHNICAL.match(line)


def _classify(line: str, order: int) -> Block:
    heading_mark = _HEADING_MARK.match(line)
    bullet = _BULLET.match(line)
    text = line[bullet.end() :] if bullet else line
    if heading_mark:
        return Block(BlockKind.HEADING, _HEADING_CLOSE.sub("", text), order)
    words = text.split()
    if (_SENTENCE_END.search(text) and len(words) >= 4) or len(text) > _HEADING_CHARACTERS:
        return Block(BlockKind.PROSE, text, order)
    if is_button(text) or read_boilerplate().frame.are_in(text.casefold()):
        return Block(BlockKind.FRAGMENT, text, order)
    letters = sum(character.isalpha() for character in text)
    if len(words) >= 2 and letters >= 0.6 * len(text) and text[-1] not in ",;:":
        return Block(BlockKind.HEADING, text, order)
    return Block(BlockKind.FRAGMENT, text, order)


def is_button(text: str) -> bool:
    """True for a line or link text that only says where to click."""
    bare = text.casefold().strip(" .!:›»>→…|[]()-–*")
    return bare in read_boilerplate().buttons or (len(bare.split()) <= 4 and bare.endswith(_POINTERS))


def _drop_footer(blocks: list[Block]) -> list[Block]:
    footer = read_boilerplate().footer
    first = max(1, int(len(blocks) * _FOOTER_FROM))
    for position in range(first, len(blocks)):
        if footer.are_in(blocks[position].text.casefold()):
            return blocks[:position]
    return blocks
