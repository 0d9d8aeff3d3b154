"""Key links: where the mail sends its reader, with the reason to go there.

Only addresses that occur in the mail are answered, verbatim. The frame's links (unsubscribe, profile, social
networks, legal) and pixels are passed over. Why is the link's own text where it says something, else the sentence
or headline that stands before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from tournee.integrations.local.analyser.layout import Block, BlockKind, clean_line, is_button
from tournee.integrations.local.analyser.lexicon import Lexicon, read_boilerplate
from tournee.integrations.local.analyser.summary import share_stems
from tournee.integrations.local.analyser.title import cut_at_word
from tournee.integrations.local.analyser.words import drop_addresses
from tournee.pipeline.ports import KeyLink, Link

MAX_KEY_LINKS = 5
MAX_LINKS_READ = 400
"""Bounds the time; the longest issue of links in the corpus has about 300."""

_WHY_CHARACTERS = 160
_CONTEXT_CHARACTERS = 1_000
_LOOK_AHEAD_BLOCKS = 80
_MAX_ADDRESS_CHARACTERS = 2_048
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".css", ".ico", ".woff2")


@dataclass(frozen=True, slots=True)
class _Target:
    url: str
    why: str
    worth: float
    order: int


def choose_key_links(
    links: Sequence[Link], blocks: Sequence[Block], topic_stems: frozenset[str], lexicon: Lexicon
) -> list[KeyLink]:
    """Up to `MAX_KEY_LINKS`, in the order of the mail, each address and each reason once."""
    targets: dict[str, _Target] = {}
    positions = _locate_all(links[:MAX_LINKS_READ], blocks)
    shown = sum(position is not None for position in positions)
    for order, (link, position) in enumerate(zip(links, positions, strict=False)):
        text = clean_line(link.text)
        if not is_followable(link.url, text) or (position is None and shown > len(positions) // 2):
            # A link that the content does not show, where most are shown, stands in the footer.
            continue
        why, worth = _explain(text, link.url, blocks, position)
        if not why or _is_navigation(why) or read_boilerplate().frame.are_in(why.casefold()):
            continue
        worth += 0.8 * share_stems(why, topic_stems, lexicon) - 0.01 * order
        known = targets.get(link.url)
        if known is None or worth > known.worth:
            targets[link.url] = _Target(link.url, why, worth, known.order if known else order)
    return _pick(list(targets.values()))


def _is_navigation(why: str) -> bool:
    """Whether a reason is a row of links (`Home | Reviews | Downloads`): it gives none for any of them."""
    return why.count("|") >= 2


def _pick(targets: Sequence[_Target]) -> list[KeyLink]:
    chosen: list[_Target] = []
    for target in sorted(targets, key=lambda each: (-each.worth, each.order)):
        if all(target.why.casefold() != other.why.casefold() for other in chosen):
            chosen.append(target)
        if len(chosen) == MAX_KEY_LINKS:
            break
    return [KeyLink(target.url, target.why) for target in sorted(chosen, key=lambda each: each.order)]


def is_followable(url: str, text: str) -> bool:
    """True for a web address that belongs to the issue's content."""
    if len(url) > _MAX_ADDRESS_CHARACTERS or any(character.isspace() for character in url):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return False
    folded = url.casefold()
    boilerplate = read_boilerplate()
    if parts.path.casefold().endswith(_PICTURES) or any(mark in folded for mark in boilerplate.link_address):
        return False
    folded_text = text.casefold()
    return not (boilerplate.frame.are_in(folded_text) or (len(text) < 40 and boilerplate.link_text.are_in(folded_text)))


def _locate_all(links: Sequence[Link], blocks: Sequence[Block]) -> list[int | None]:
    """The block that shows each link. Links come in reading order: each is looked for from the last one found on."""
    positions: list[int | None] = []
    cursor = 0
    for link in links:
        position = _locate(clean_line(link.text) or link.url, blocks, cursor)
        cursor = cursor if position is None else position
        positions.append(position)
    return positions


def _locate(needle: str, blocks: Sequence[Block], cursor: int) -> int | None:
    if not needle:
        return None
    for position in range(cursor, min(len(blocks), cursor + _LOOK_AHEAD_BLOCKS)):
        if needle in blocks[position].text:
            return position
    return None


def _explain(text: str, url: str, blocks: Sequence[Block], position: int | None) -> tuple[str, float]:
    """The reason to follow a link, and how much it tells."""
    is_address = "://" in text or text.casefold().startswith("www.")
    words = text.split()
    if text and not is_button(text) and not is_address and sum(map(str.isalpha, text)) >= 3:
        worth = 1.0 + min(len(words), 8) * 0.25
        if position is not None and blocks[position].kind is BlockKind.HEADING:
            worth += 0.6
        if len(words) >= 3 or len(text) >= 25 or position is None:
            return cut_at_word(text, _WHY_CHARACTERS), worth
        return _find_context(text, blocks, position) or text, worth
    if position is None:
        return "", 0.0
    for before in range(position if is_address or not text else position - 1, max(-1, position - 4), -1):
        block = blocks[before]
        if block.kind is not BlockKind.FRAGMENT and block.text.strip() not in (text, url):
            shown = clean_line(drop_addresses(block.text[:_CONTEXT_CHARACTERS])).strip(" :<([*|>")
            if len(shown) >= 12:
                return cut_at_word(shown, _WHY_CHARACTERS), 1.2 + (block.kind is BlockKind.HEADING)
    return "", 0.0


def _find_context(text: str, blocks: Sequence[Block], position: int) -> str:
    """The part of the block around a link of one or two words, long enough to understand it."""
    block = blocks[position].text
    at = block.find(text)
    start = max(block.rfind(end, max(0, at - _CONTEXT_CHARACTERS), at) for end in (". ", "! ", "? "))
    start = start + 2 if start >= 0 else 0
    return cut_at_word(clean_line(block[start : start + _CONTEXT_CHARACTERS]), _WHY_CHARACTERS)
