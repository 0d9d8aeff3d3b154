"""Plain-text rules: what PostgreSQL and a mail header can hold, and how words are compared.

Pure. Keeps NUL, lone surrogates and line breaks out of places that they would break.
"""

from __future__ import annotations

import re
import unicodedata

_SURROGATES = re.compile("[\ud800-\udfff]")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def clean_text(text: str) -> str:
    """Text that PostgreSQL can hold: without NUL and lone surrogates."""
    return _SURROGATES.sub("\ufffd", text.replace("\x00", ""))


def to_single_line(text: str, limit: int) -> str:
    """One line of at most `limit` characters, safe in a header: no control characters, no direction overrides."""
    line = _BIDI_CONTROLS.sub("", _CONTROLS.sub(" ", clean_text(text)))
    return clip(" ".join(line.split()), limit)


def clip(text: str, limit: int) -> str:
    """At most `limit` characters; what is cut ends in an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def fold(text: str) -> str:
    """For comparing words: case, accents and width do not matter."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))
