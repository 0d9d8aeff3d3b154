"""What a page hides from its reader's eyes: by attribute, by inline style, by a class of its style sheet.

Senders hide preheaders, tracking pixels and whole paragraphs made for filters. Hidden text is neither shown,
searched nor analysed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

_HIDING: Final = re.compile(
    r"display\s{0,9}:\s{0,9}none|visibility\s{0,9}:\s{0,9}(?:hidden|collapse)|mso-hide\s{0,9}:\s{0,9}all"
    r"|(?<![-\w])opacity\s{0,9}:\s{0,9}0{0,3}(?:\.0{1,9})?(?![\d.])|text-indent\s{0,9}:\s{0,9}-\d{3,9}"
    r"|max-height\s{0,9}:\s{0,9}0{1,3}(?:px|pt|em)?(?![\d.%])|(?<![-\w])max-width\s{0,9}:\s{0,9}0{1,3}(?:px|pt"
    r"|em)?(?![\d.%])",
    re.I,
)
_FONT_SIZE: Final = re.compile(r"(?<![-\w])font-size\s{0,9}:\s{0,9}([\d.]{1,9})\s{0,9}(px|pt|em|rem|%)?", re.I)
_SIZE: Final = re.compile(r"(?<![-\w])(width|height)\s{0,9}:\s{0,9}([\d.]{1,9})", re.I)
_CLASS_SELECTOR: Final = re.compile(r"[a-z0-9]{0,20}\.([\w-]{1,80})\Z", re.I)
_BRACE: Final = re.compile(r"[{}]")
_STYLE_CHARACTERS: Final = 200_000
_TINY_POINTS: Final = 1.5
_PIXEL: Final = 2.0
_HUGE: Final = 1000.0
_COUNTING_URL: Final = re.compile(
    r"[/.?&_-](?:opens?|track(?:ing)?|trk|pixel|beacon|spacer|blank|clear|wf/open|imp|o\.gif|read)(?:[/.?=&_-]|\Z)",
    re.I,
)
_IMAGE_FILE: Final = re.compile(r"\.(?:png|jpe?g|gif|webp|svg)(?:[?#]|\Z)", re.I)


def is_hidden(attributes: Mapping[str, str | None], hidden_classes: frozenset[str]) -> bool:
    """Whether an element with these attributes is not shown, with all that it holds."""
    if "hidden" in attributes:
        return True
    style = attributes.get("style")
    if style and _HIDING.search(style):
        return True
    classes = attributes.get("class")
    return bool(classes and hidden_classes and not hidden_classes.isdisjoint(classes.split()))


def read_font_size(style: str) -> float | None:
    """The font size that an inline style sets, roughly in points; None when it sets none."""
    stated = _FONT_SIZE.findall(style)
    if not stated:
        return None
    number, unit = stated[-1]
    try:
        size = float(number)
    except ValueError:
        return None
    factor = {"em": 12.0, "rem": 12.0, "%": 0.12, "pt": 1.0}.get(unit.lower(), 0.75)
    return size * factor


def is_tiny(size_points: float) -> bool:
    """A font so small that its text is not meant to be read."""
    return size_points < _TINY_POINTS


def is_counting_pixel(attributes: Mapping[str, str | None]) -> bool:
    """Whether an image is there to be fetched, not to be seen."""
    width, height = _read_size(attributes, "width"), _read_size(attributes, "height")
    if width is not None and height is not None:
        return width <= _PIXEL and height <= _PIXEL
    if (width is not None and width <= 1) or (height is not None and height <= 1):
        return True
    source = (attributes.get("src") or "")[:2000]
    if width is None and height is None and not (attributes.get("alt") or "").strip():
        return _COUNTING_URL.search(source) is not None or not _IMAGE_FILE.search(source)
    return False


def _read_size(attributes: Mapping[str, str | None], side: str) -> float | None:
    sizes = [
        float(found[2])
        for found in _SIZE.finditer(attributes.get("style") or "")
        if found[1].lower() == side and found[2].count(".") <= 1 and found[2] != "."
    ]
    stated = (attributes.get(side) or "").strip().rstrip("px").strip()
    if stated.endswith("%"):
        sizes.append(_HUGE)
    elif stated.replace(".", "", 1).isdigit():
        sizes.append(float(stated))
    return min(sizes) if sizes else None


def find_hidden_classes(sheets: Iterable[str]) -> frozenset[str]:
    """Classes that the page's style sheets hide everywhere; rules for some media only (`@media`) are passed over."""
    rules = (rule for sheet in sheets for rule in _split_rules(_strip_comments(sheet[:_STYLE_CHARACTERS])))
    selectors = (selector.strip() for names, body in rules if _HIDING.search(body) for selector in names.split(","))
    return frozenset(found[1] for selector in selectors if (found := _CLASS_SELECTOR.match(selector)))


def _strip_comments(sheet: str) -> str:
    before, *commented = sheet.split("/*")
    return before + "".join(piece.partition("*/")[2] for piece in commented)


def _split_rules(sheet: str) -> Iterator[tuple[str, str]]:
    """(selectors, declarations) of the rules at the top level, in one pass over the braces."""
    depth, start, opened = 0, 0, 0
    for brace in _BRACE.finditer(sheet):
        if brace[0] == "{":
            opened = opened if depth else brace.end()
            depth += 1
            continue
        depth = max(0, depth - 1)
        if depth == 0:
            selectors = sheet[start : max(start, opened - 1)].strip()
            start = brace.end()
            if selectors and not selectors.startswith("@"):
                yield selectors, sheet[opened : brace.start()][:2000]
