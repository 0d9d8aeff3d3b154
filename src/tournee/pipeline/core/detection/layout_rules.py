"""What the shape says: sections and headlines, many links, pictures and tables; against it, a few bare words."""

from __future__ import annotations

import math
import re
from typing import Final

from tournee.pipeline.core.detection.evidence import NOTHING, Evidence, Finding, Rule, Side

_UNDERLINE: Final = re.compile(
    r"^[ \t]{0,4}(?:={4,}|-{4,}|\*{4,}|_{4,}|~{4,}|\+{4,}|#{4,}|[-=*~_+o#.]{10,})[ \t]{0,4}$", re.M
)
_MARKED_HEADING: Final = re.compile(
    r"^(?:#{1,4} {1,3}\S|\*\*[^*\n]{3,80}\*\*[ \t]{0,3}$|\[ ?\d{1,2} ?\][ .]|\d{1,2}[.)] {1,3}[^\W\d_]|={2,4} \S)", re.M
)
_CAPITAL_LINE: Final = re.compile(r"^[ \t*>-]{0,6}[A-ZÀ-ÞΑ-ΩА-Я][A-ZÀ-ÞΑ-ΩА-Я0-9 ,.:;!?'&/\"()-]{7,70}$", re.M)
_BULLET: Final = re.compile(r"^[ \t]{0,6}(?:[*•·o+–-]|\d{1,2}[.)]) {1,6}\S", re.M)
_TITLE_LINE: Final = re.compile(r"(?:\A|\n\n)[ \t]{0,4}([^\W\d_][^\n]{6,78}[^\n.,;:])\n(?=\n?[^\n]{30})")
_SOCIAL: Final = re.compile(
    r"(?:facebook|twitter|linkedin|instagram|youtube|mastodon|t\.me|bsky|tiktok|pinterest|xing|x\.com)[./]", re.I
)
_CAMPAIGN: Final = re.compile(
    r"utm_|[?&/](?:mc_|cid=|eid=|sid=|campaign|nl_|newsletter|click|clicks?/|ct/|track|redirect|link\.php|lt\.php"
    r"|r/|cgi-bin\d?/)|://(?:click|clicks|links?|trk|track|email|e|go|news|mailing|nl|t|r)\d{0,2}\.",
    re.I,
)
_SHORT_CHARACTERS: Final = 220


def _grow(count: float, full: float) -> float:
    """From 0 to 1, fast at first."""
    return min(1.0, math.log1p(count) / math.log1p(full))


def _see_links(mail: Evidence) -> Finding:
    count = len({link.url for link in mail.links})
    return Finding(_grow(count - 2, 30), f"{count} links") if count > 2 else NOTHING


def _see_counting_links(mail: Evidence) -> Finding:
    count = sum(1 for link in mail.links[:200] if _CAMPAIGN.search(link.url[:1000]))
    return Finding(_grow(count, 8), f"{count} links that count clicks") if count >= 2 else NOTHING


def _see_social_links(mail: Evidence) -> Finding:
    names = {found[0].lower() for link in mail.links[:400] if (found := _SOCIAL.search(link.url[:300]))}
    return Finding(min(1.0, 0.5 * len(names)), ", ".join(sorted(names)[:3])) if names else NOTHING


def _see_tables(mail: Evidence) -> Finding:
    return (
        Finding(_grow(mail.layout.tables - 2, 20), f"{mail.layout.tables} tables")
        if mail.layout.tables > 2
        else NOTHING
    )


def _see_images(mail: Evidence) -> Finding:
    return (
        Finding(_grow(mail.layout.images - 1, 12), f"{mail.layout.images} images")
        if mail.layout.images > 1
        else NOTHING
    )


def _see_counting_pixel(mail: Evidence) -> Finding:
    count = mail.layout.counting_pixels
    return Finding(1.0, f"{count} of them") if count else NOTHING


def _see_hidden_text(mail: Evidence) -> Finding:
    count = mail.layout.hidden_elements
    return Finding(1.0, f"{count} hidden elements") if count and len(mail.text) > _SHORT_CHARACTERS else NOTHING


def _see_sections(mail: Evidence) -> Finding:
    """Headings of any kind: of the page, Markdown, underlined, in capitals, rules between the sections."""
    text = mail.text
    marked = sum(1 for _ in _MARKED_HEADING.finditer(text)) + sum(1 for _ in _UNDERLINE.finditer(text))
    capital = sum(1 for _ in _CAPITAL_LINE.finditer(text))
    count = marked + capital + mail.layout.headings + min(mail.layout.large_texts, 20) / 2
    return Finding(_grow(count - 1, 12), f"{count:.0f} headings") if count > 1 else NOTHING


def _see_title_lines(mail: Evidence) -> Finding:
    """Short lines that stand above a paragraph."""
    count = sum(1 for _ in _TITLE_LINE.finditer(mail.text))
    return Finding(_grow(count - 1, 10), f"{count} title lines") if count > 1 else NOTHING


def _see_items(mail: Evidence) -> Finding:
    count = max(sum(1 for _ in _BULLET.finditer(mail.text)), mail.layout.list_items)
    return Finding(_grow(count - 2, 25), f"{count} items") if count > 2 else NOTHING


def _see_length(mail: Evidence) -> Finding:
    length = len(mail.text)
    return Finding(_grow((length - 1_000) / 1_000, 8), f"{length} characters") if length > 1_200 else NOTHING


def _see_linked_sections(mail: Evidence) -> Finding:
    """Long, in sections, with links, and answering nobody: how an issue without any header looks."""
    sections, length = _see_sections(mail).strength, _see_length(mail).strength
    links = 1.0 if len(mail.links) > 2 else 0.4 if mail.links else 0.0
    strength = (sections * length * links) ** (1 / 3)
    return Finding(strength, "sections, length and links together") if strength > 0.2 else NOTHING


def _see_few_words(mail: Evidence) -> Finding:
    if len(mail.text) >= _SHORT_CHARACTERS * 3 or mail.layout.images > 3:
        return NOTHING
    return Finding(1.0 if len(mail.text) < _SHORT_CHARACTERS else 0.5, f"{len(mail.text)} characters")


def _see_attachments(mail: Evidence) -> Finding:
    files = [name for name in mail.attachments if not name.startswith(("image/", "text/"))]
    return Finding(1.0, files[0][:60]) if files else NOTHING


LAYOUT_RULES: Final = (
    Rule("many-links", Side.FOR, 1.2, _see_links),
    Rule("counting-links", Side.FOR, 1.0, _see_counting_links),
    Rule("social-links", Side.FOR, 0.8, _see_social_links),
    Rule("table-layout", Side.FOR, 0.8, _see_tables),
    Rule("images", Side.FOR, 0.6, _see_images),
    Rule("counting-pixel", Side.FOR, 0.8, _see_counting_pixel),
    Rule("hidden-text", Side.FOR, 0.6, _see_hidden_text),
    Rule("sections", Side.FOR, 1.2, _see_sections),
    Rule("title-lines", Side.FOR, 0.8, _see_title_lines),
    Rule("items", Side.FOR, 0.6, _see_items),
    Rule("length", Side.FOR, 0.6, _see_length),
    Rule("linked-sections", Side.FOR, 0.8, _see_linked_sections),
    Rule("few-words", Side.AGAINST, -2.5, _see_few_words),
    Rule("attachments", Side.AGAINST, -0.8, _see_attachments),
)
