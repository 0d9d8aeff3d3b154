"""The page that is kept for reading: what a hostile sender could do with it is taken out.

No scripts, forms, styles, embedded or local images; images of one pixel are gone before (see `page`). Links open
elsewhere and say nothing of where they were followed from.
"""

from __future__ import annotations

import html as html_entities
import re
from collections.abc import Sequence
from typing import Final

import nh3

from tournee.pipeline.core.mail.characters import clean_text

_TAGS: Final = frozenset(
    "a abbr b blockquote br caption center code dd del div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i img ins "
    "li ol p pre q s small span strong sub sup table tbody td tfoot th thead tr u ul".split()
)
_ATTRIBUTES: Final = {
    "a": {"href", "title"},
    "img": {"src", "alt", "width", "height"},
    "td": {"colspan", "rowspan", "align", "valign"},
    "th": {"colspan", "rowspan", "align", "valign"},
    "table": {"align", "width"},
    "ol": {"start"},
}
_SCHEMES: Final = {"http", "https", "mailto"}
_EMPTIED: Final = {
    "script",
    "style",
    "head",
    "title",
    "noscript",
    "template",
    "svg",
    "math",
    "select",
    "textarea",
    "object",
    "iframe",
}
_FOLLOWED: Final = re.compile(r"(?:https?://|mailto:)", re.I)
_SHOWN: Final = re.compile(r"https?://", re.I)
_URL: Final = re.compile(r"https?://[^\s<>\"']{1,2000}")


def sanitise_page(html: str) -> str:
    """HTML that is safe to show in a page of ours."""
    return clean_text(
        nh3.clean(
            html,
            tags=set(_TAGS),
            clean_content_tags=_EMPTIED,
            attributes=_ATTRIBUTES,
            attribute_filter=_filter_attribute,
            url_schemes=_SCHEMES,
            link_rel="noopener noreferrer",
            set_tag_attribute_values={"a": {"target": "_blank"}},
            strip_comments=True,
        )
    ).strip()


def wrap_plain_text(text: str) -> str:
    """Plain text as HTML: escaped, lines kept, addresses of pages made links."""
    paragraphs = [
        "<p>" + _link_urls(paragraph).replace("\n", "<br>\n") + "</p>"
        for paragraph in text.split("\n\n")
        if paragraph.strip()
    ]
    return "\n".join(paragraphs)


def join_pages(pages: Sequence[str]) -> str:
    """Several sanitised pieces as one."""
    return "\n<hr>\n".join(page for page in pages if page)


def _link_urls(paragraph: str) -> str:
    pieces: list[str] = []
    position = 0
    for found in _URL.finditer(paragraph):
        url = found[0].rstrip(".,;:!?)]}")
        pieces.append(html_entities.escape(paragraph[position : found.start()]))
        address = html_entities.escape(url)
        pieces.append(f'<a href="{address}" target="_blank" rel="noopener noreferrer">{address}</a>')
        position = found.start() + len(url)
    pieces.append(html_entities.escape(paragraph[position:]))
    return "".join(pieces)


def _filter_attribute(tag: str, attribute: str, value: str) -> str | None:
    """Addresses that lead nowhere outside the message (cid:, relative, javascript:) are dropped."""
    if tag == "img" and attribute == "src":
        return value if _SHOWN.match(value) else None
    if tag == "a" and attribute == "href":
        return value if _FOLLOWED.match(value) else None
    return value
