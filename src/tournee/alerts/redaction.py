"""What must not leave: addresses, tokens, passwords. The last net under texts that should hold none.

Pure. Messages are made of classes, ids, counts and names; this is for the day when one of those is not what it seems.
"""

from __future__ import annotations

import re

HIDDEN = "…"
MAX_NAME = 120

_SECRETS = (
    re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://\S+", re.IGNORECASE),
    re.compile(r"[^\s@<>(),:;\"'=/]{1,64}@[^\s@<>(),:;\"'=/]{1,255}"),
    re.compile(r"\b(?:bearer|basic)\s+\S+", re.IGNORECASE),
    re.compile(r"\b(?:password|passwd|secret|token|api[_-]?key|authorization)\b\s*[=:]\s*\S+", re.IGNORECASE),
    re.compile(r"(?=[A-Za-z_+-]{0,64}[0-9])[A-Za-z0-9_+-]{24,}={0,2}"),
)
_MARKUP = re.compile(r"[`*~|<>\[\]\\@]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_SPACE = re.compile(r"[\s\x00-\x1f\x7f]+")
_VARIABLE = re.compile(r"[0-9]|[^A-Za-z/_.{}-]|.{25,}")


def scrub(text: str, limit: int = MAX_NAME) -> str:
    """One short line without anything that looks like a secret."""
    text = _SPACE.sub(" ", str(text)[: 4 * limit]).strip()
    for pattern in _SECRETS:
        text = pattern.sub(HIDDEN, text)
    return text if len(text) <= limit else text[: limit - 1] + HIDDEN


def escape_markup(text: str) -> str:
    """Without the signs that a chat would read as formatting, a link or a mention; within a word `_` is none."""
    return _MARKUP.sub(lambda found: {"`": "'", "<": "‹", ">": "›", "@": "＠"}.get(found[0], "\\" + found[0]), text)


def generalise_path(path: str) -> str:
    """A path whose parts that look like ids or tokens are left out; the same for all requests to one route."""
    parts = path.partition("?")[0].split("/")[:8]
    return scrub("/".join("{…}" if _VARIABLE.search(part) else part for part in parts) or "/")
