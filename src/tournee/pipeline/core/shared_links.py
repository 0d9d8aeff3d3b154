"""Key links between what is shared and what is one reader's own.

An analysis is shared by all readers of an issue, while the addresses in a mail often carry a token of the one reader
it was sent to. Stored is an address without such parts and which of those alike is meant; shown is the reader's own
link at that place. Pure. Keeps: no query, fragment, token or number that may name a subscriber is ever stored.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tournee.pipeline.core.mail.fingerprint import strip_personal_url
from tournee.pipeline.ports import Analysis, KeyLink, Link

_LONG_NUMBER: Final = re.compile(r"/\d{5,}(?=/|\Z)")
_URL: Final = re.compile(r"https?://[^\s<>\"')\]]{1,4000}", re.IGNORECASE)


def share_analysis(analysis: Analysis, links: Sequence[Link]) -> Analysis:
    """An analysis as it may be stored for everybody; `links` are those of the mail it was made of."""
    return replace(
        analysis,
        title=share_urls_in(analysis.title),
        summary=share_urls_in(analysis.summary),
        key_links=share_key_links(analysis.key_links, links),
    )


def share_key_links(key_links: Sequence[KeyLink], links: Sequence[Link]) -> tuple[KeyLink, ...]:
    """Key links as they may be stored for everybody; `links` are those of the mail that was analysed."""
    places: dict[str, int] = {}
    counts: defaultdict[str, int] = defaultdict(int)
    for link in links:
        shared = share_url(link.url)
        places.setdefault(link.url, counts[shared])
        counts[shared] += 1
    return tuple(
        KeyLink(share_url(link.url), share_urls_in(link.why), place=places.get(link.url, 0)) for link in key_links
    )


def resolve_key_links(stored: Sequence[KeyLink], own: Sequence[Link]) -> tuple[KeyLink, ...]:
    """Stored key links with the addresses of one reader's own copy; the stored address where it has none such."""
    wanted = {share_url(link.url) for link in stored}
    own_urls: defaultdict[str, list[str]] = defaultdict(list)
    for link in own:
        shared = share_url(link.url)
        if shared in wanted:
            own_urls[shared].append(link.url)
    return tuple(_resolve(link, own_urls[share_url(link.url)]) for link in stored)


def share_url(url: str) -> str:
    """An address without what may be one reader's own; applied again it changes nothing."""
    scheme = "http://" if url.lower().startswith("http://") else "https://"
    return scheme + _LONG_NUMBER.sub("", strip_personal_url(url))


def share_urls_in(text: str) -> str:
    """A text with each address in it stripped so."""
    return _URL.sub(lambda found: share_url(found[0]), text) if "://" in text else text


def _resolve(link: KeyLink, own_urls: Sequence[str]) -> KeyLink:
    return replace(link, url=own_urls[link.place]) if link.place < len(own_urls) else link
