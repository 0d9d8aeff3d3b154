"""What a plain text part was before it was sent: paragraphs that were wrapped, files that were written into it, pages.

Owns RFC 3676 (format=flowed, DelSp), files inside text (uuencode, yEnc), and whether text is HTML, whatever its type
claims. Refuses to take a line for a file that has no end: then it is text.
"""

from __future__ import annotations

import re
from typing import Final

_FILE_START: Final = re.compile(
    r"^(?:begin[ \t]+[0-7]{3,4}[ \t]+(?P<uu>[^\r\n]{1,255})|=ybegin[ \t][^\r\n]{0,255}?name=(?P<y>[^\r\n]{1,255}))$",
    re.M,
)
_UU_END: Final = re.compile(r"^(?:`|[ \t]*)\n?^end[ \t]*$", re.M)
_Y_END: Final = re.compile(r"^=yend[ \t][^\r\n]{0,255}$", re.M)
_UU_LINE: Final = re.compile(r"[\x20-\x60]{1,70}")
_FILES: Final = 20
_SIGNATURE: Final = "-- "
_HTML_START: Final = re.compile(r"\s*(?:<!doctype html|<html|<head|<body|<table|<div)\b", re.I)
_TAG_START: Final = re.compile(
    r"\s*<(?:!--|(?:p|a|br|center|font|h[1-6]|img|meta|style|span|b|strong|ul)\b[^<>]{0,500}>)", re.I
)
_CLOSED_BLOCKS: Final = re.compile(r"</(?:p|a|div|td|tr|table|center|font|h[1-6]|ul|ol|li|body|html)>", re.I)
_ANY_TAG: Final = re.compile(r"<[a-z!/][^<>]{0,2000}>", re.I)
_LEAST_CLOSED_BLOCKS: Final = 4


def is_page(content: str, content_type: str) -> bool:
    """Whether text is read as HTML: as its type says, unless it is told otherwise by tags, or by having none."""
    if content_type == "text/html":
        return _ANY_TAG.search(content) is not None or not content.strip()
    start = content[:2000]
    if _HTML_START.match(start) is not None:
        return "</" in content
    return _TAG_START.match(start) is not None and len(_CLOSED_BLOCKS.findall(content)) >= _LEAST_CLOSED_BLOCKS


def unflow(content: str, deletes_space: bool) -> str:
    """The paragraphs of format=flowed text, each on a line. Lines quoted to another depth never join."""
    paragraphs: list[str] = []
    is_open, open_depth = False, 0
    for line in content.split("\n"):
        bare = line.lstrip(">")
        depth = len(line) - len(bare)
        bare = bare.removeprefix(" ")
        flows = bare.endswith(" ") and bare != _SIGNATURE
        kept = bare[:-1] if flows and deletes_space else bare
        if is_open and depth == open_depth and bare != _SIGNATURE:
            paragraphs[-1] += kept
        else:
            paragraphs.append(">" * depth + (" " if depth and kept else "") + kept)
        is_open, open_depth = flows, depth
    return "\n".join(paragraphs)


def take_out_files(content: str) -> tuple[str, list[str]]:
    """The text without the files that were written into it, and their names."""
    names: list[str] = []
    kept: list[str] = []
    position = 0
    for found in _FILE_START.finditer(content):
        if found.start() < position or (found["uu"] and not _is_coded(content, found.end())):
            continue
        closing = (_UU_END if found["uu"] else _Y_END).search(content, found.end())
        if closing is None or len(names) == _FILES:
            break
        kept.append(content[position : found.start()])
        names.append((found["uu"] or found["y"]).strip())
        position = closing.end()
    return "".join([*kept, content[position:]]), names


def _is_coded(content: str, line_end: int) -> bool:
    """`begin 644 …` may open a sentence; a coded line behind it holds no small letter and is as long as it says."""
    first = content[line_end + 1 : line_end + 81].partition("\n")[0]
    size = (ord(first[0]) - 32) % 64 if first else 0
    return _UU_LINE.fullmatch(first) is not None and abs(len(first) - 1 - (size + 2) // 3 * 4) <= 3
