"""An HTML page as its reader sees it: lines of text, links in order, and the shape of its layout.

One pass over the tree, iterative, so that no nesting can exhaust the stack. What is hidden is removed from the tree,
so that the page sanitised afterwards holds nothing more than was seen.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from tournee.pipeline.core.mail import hiding
from tournee.pipeline.core.mail.characters import clean_text, strip_invisible
from tournee.pipeline.core.mail.limits import HTML_DEPTH, LINKS, TEXT_CHARACTERS
from tournee.pipeline.ports import Link

_SKIPPED: Final = frozenset(
    "head style script noscript template svg math select textarea object iframe audio video canvas map "
    "title link meta base -comment !doctype -document-type".split()
)
_BLOCKS: Final = frozenset(
    "address article aside blockquote body center dd details dialog div dl dt fieldset figcaption figure footer form "
    "header hr html li main nav ol section summary table tbody td tfoot th thead tr ul".split()
)
_PARAGRAPHS: Final = frozenset("p h1 h2 h3 h4 h5 h6 pre".split())
_HEADINGS: Final = frozenset("h1 h2 h3 h4".split())
_BLANKS: Final = re.compile(r"[ \t\n\f\u00a0\u2000-\u200a\u202f\u205f\u3000]+")
_LINE_SPACE: Final = re.compile(r" ?\n ?")
_MANY_LINES: Final = re.compile(r"\n{3,}")
_TAG: Final = re.compile(
    r"<(/?)(?:div|span|table|font|b|i|u|a|em|strong|center|blockquote|ul|ol|section|small|big|sup|sub|article|nobr)\b",
    re.I,
)
_ANY_TAG: Final = re.compile(r"<[^<>]{0,5000}>")
_TAG_CHARACTERS: Final = 10_000
_TAG_ATTRIBUTES: Final = 3_000
_LARGE_FONT_POINTS: Final = 13.0
_SHORT_TEXT_CHARACTERS: Final = 200


@dataclass(slots=True)
class Page:
    """What was seen of a page. `tree` holds it without what was hidden; None for a page read as bare text."""

    text: str = ""
    links: list[Link] = field(default_factory=list)
    tree: LexborHTMLParser | None = None
    tags: Counter[str] = field(default_factory=Counter)
    hidden_elements: int = 0
    counting_pixels: int = 0
    large_texts: int = 0
    language: str = ""
    image_sources: list[str] = field(default_factory=list)


def read_page(html: str) -> Page:
    """Read a page. Never raises for bad HTML; nested beyond the limit it is read as text with its tags cut out."""
    if _is_nested_too_deeply(html) or _has_monstrous_tag(html):
        return Page(text=_tidy_lines(strip_invisible(_BLANKS.sub(" ", _ANY_TAG.sub("\n", html)))))
    tree = LexborHTMLParser(html)
    page = Page(tree=tree)
    root = tree.root
    if root is None:
        return page
    sheets = [style.text(deep=True) or "" for style in tree.css("style")[:20]]
    _Reading(page, hiding.find_hidden_classes(sheets)).run(root)
    return page


def _is_nested_too_deeply(html: str) -> bool:
    if html.count("<") <= HTML_DEPTH:
        return False
    depth = 0
    for found in _TAG.finditer(html):
        depth = max(0, depth - 1) if found[1] else depth + 1
        if depth > HTML_DEPTH:
            return True
    return False


def _has_monstrous_tag(html: str) -> bool:
    """One tag with thousands of attributes: the parser compares each of them with all others."""
    for piece in html.split(">"):
        if len(piece) > _TAG_CHARACTERS:
            _, opened, tag = piece.rpartition("<")
            if opened and tag.count(" ") + tag.count("/") + tag.count("\n") + tag.count("\t") > _TAG_ATTRIBUTES:
                return True
    return False


class _Reading:
    """One pass over a tree."""

    def __init__(self, page: Page, hidden_classes: frozenset[str]) -> None:
        self._page = page
        self._hidden_classes = hidden_classes
        self._pieces: list[str] = []
        self._characters = 0
        self._removed: list[LexborNode] = []
        self._link: tuple[str, int] | None = None
        self._preformatted = 0
        self._alternatives: list[str] = []
        # Font sizes in force, innermost last: a size of nought hides text until an inner element sets another.
        self._font_sizes: list[float] = []

    def run(self, root: LexborNode) -> None:
        open_nodes: list[tuple[LexborNode, bool]] = []
        node: LexborNode | None = root
        while node is not None:
            child = self._enter(node, open_nodes)
            if child is not None:
                node = child
                continue
            following = node.next
            while following is None and open_nodes:
                node, sets_font = open_nodes.pop()
                self._leave(node, sets_font)
                following = node.next if node.mem_id != root.mem_id else None
            node = following
        for hidden in self._removed:
            hidden.decompose()
        self._finish()

    def _finish(self) -> None:
        text = _tidy_lines("".join(self._pieces))
        if len(text) < _SHORT_TEXT_CHARACTERS and self._alternatives:
            text = _tidy_lines("\n".join([text, *self._alternatives]))
        self._page.text = text

    def _enter(self, node: LexborNode, open_nodes: list[tuple[LexborNode, bool]]) -> LexborNode | None:
        """Take in one node; answers its first child when the pass is to go down into it."""
        tag = node.tag or ""
        if tag == "-text":
            self._add_text(node.text_content or "")
            return None
        if tag in _SKIPPED:
            return None
        attributes = node.attributes
        if attributes and hiding.is_hidden(attributes, self._hidden_classes) and tag not in ("html", "body"):
            self._page.hidden_elements += 1
            self._removed.append(node)
            return None
        self._page.tags[tag] += 1
        if tag == "img":
            self._add_image(node, attributes)
            return None
        if tag == "br":
            self._pieces.append("\n")
            return None
        self._open(tag, attributes)
        child = node.child
        sets_font = self._set_font(attributes) if child is not None else False
        if child is None:
            self._leave(node, False)
            return None
        open_nodes.append((node, sets_font))
        return child

    def _open(self, tag: str, attributes: dict[str, str | None]) -> None:
        if tag in _PARAGRAPHS:
            self._pieces.append("\n\n")
            self._preformatted += tag == "pre"
        elif tag in _BLOCKS:
            self._pieces.append("\n")
        elif tag == "a":
            href = (attributes.get("href") or "").strip()
            if href and len(self._page.links) < LINKS:
                self._link = (href, len(self._pieces))
        if tag == "html":
            self._page.language = (attributes.get("lang") or "").strip().lower()[:20]

    def _leave(self, node: LexborNode, sets_font: bool) -> None:
        tag = node.tag or ""
        if sets_font:
            self._font_sizes.pop()
        if tag in _PARAGRAPHS:
            self._pieces.append("\n\n")
            self._preformatted -= tag == "pre"
        elif tag in _BLOCKS:
            self._pieces.append("\n")
        elif tag == "a" and self._link is not None:
            url, start = self._link
            text = _BLANKS.sub(" ", "".join(self._pieces[start:])).strip()
            self._page.links.append(Link(clean_text(url)[:4000], text[:300]))
            self._link = None

    def _set_font(self, attributes: dict[str, str | None]) -> bool:
        style = attributes.get("style")
        size = hiding.read_font_size(style) if style and "font-size" in style.lower() else None
        if size is None:
            return False
        self._font_sizes.append(size)
        self._page.large_texts += size >= _LARGE_FONT_POINTS
        return True

    def _add_text(self, text: str) -> None:
        if self._characters > TEXT_CHARACTERS or (self._font_sizes and hiding.is_tiny(self._font_sizes[-1])):
            return
        text = strip_invisible(clean_text(text))
        if not self._preformatted:
            text = _BLANKS.sub(" ", text)
        self._characters += len(text)
        self._pieces.append(text)

    def _add_image(self, node: LexborNode, attributes: dict[str, str | None]) -> None:
        source = (attributes.get("src") or "").strip().lower()
        if hiding.is_counting_pixel(attributes):
            self._page.counting_pixels += source.startswith(("http:", "https:"))
            self._removed.append(node)
            return
        if not source.startswith(("http:", "https:")):
            self._removed.append(node)
        elif len(self._page.image_sources) < LINKS:
            self._page.image_sources.append(source[:2000])
        alternative = _BLANKS.sub(" ", strip_invisible(clean_text(attributes.get("alt") or ""))).strip()
        if len(alternative) > 1 and len(self._alternatives) < LINKS:
            self._alternatives.append(alternative[:500])


def _tidy_lines(text: str) -> str:
    """No blanks at the ends of lines, at most one empty line in a row."""
    return _MANY_LINES.sub("\n\n", _LINE_SPACE.sub("\n", re.sub(r" {2,}", " ", text))).strip()
