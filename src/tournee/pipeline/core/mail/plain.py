"""A plain text part as lines and links."""

from __future__ import annotations

import re
from typing import Final

from tournee.pipeline.core.mail.characters import strip_invisible
from tournee.pipeline.core.mail.limits import LINKS, TEXT_CHARACTERS
from tournee.pipeline.ports import Link

_URL: Final = re.compile(r"https?://[^\s<>\"'\]\[{}|\\^`]{3,2000}", re.I)
_MARKDOWN_LINK: Final = re.compile(r"\[([^\[\]\n]{1,200})\]\(\Z")
_TRAILING: Final = ".,;:!?*_~"
_MANY_LINES: Final = re.compile(r"\n{3,}")
_LOOK_BACK_CHARACTERS: Final = 210


def read_plain(content: str) -> str:
    """The lines of a plain text part, invisible characters and trailing blanks gone."""
    lines = strip_invisible(content[:TEXT_CHARACTERS]).replace("\u00a0", " ").split("\n")
    return _MANY_LINES.sub("\n\n", "\n".join(line.rstrip() for line in lines)).strip("\n")


def find_links(text: str) -> list[Link]:
    """Addresses of pages in the text, in order, each once; the text is what a Markdown link calls it."""
    links: dict[str, Link] = {}
    for found in _URL.finditer(text):
        url = _close_brackets(found[0].rstrip(_TRAILING))
        if url in links:
            continue
        title = _MARKDOWN_LINK.search(text[max(0, found.start() - _LOOK_BACK_CHARACTERS) : found.start()])
        links[url] = Link(url, title[1] if title else "")
        if len(links) >= LINKS:
            break
    return list(links.values())


def _close_brackets(url: str) -> str:
    """Without the closing brackets at its end that were opened before the address began."""
    excess = url.count(")") - url.count("(")
    at_end = len(url) - len(url.rstrip(")"))
    return url[: len(url) - min(excess, at_end)].rstrip(_TRAILING) if excess > 0 and at_end else url
