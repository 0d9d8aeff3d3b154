"""Text as the index sees it: what is stored, what is searched, and the words of the vocabulary.

The same normalisation stands before both documents and queries, so that what PostgreSQL's parser makes of slashes,
typographic quotes and hyphens under one locale or another is the same on both sides. It refuses nothing: what can't
be stored (NUL, lone surrogates) is taken out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

MARK_START = "\ue000"
MARK_STOP = "\ue001"

_UNSTORABLE = re.compile("[\x00\ue000\ue001\ud800-\udfff]")
_SEPARATORS = re.compile(r"[^\w.@']+|_")
_LOOSE_MARKS = re.compile(r"(?<!\w)[.@']+|[.@']+(?!\w)")
_IDEOGRAPH = re.compile(r"([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])")
_VOCABULARY_WORD = re.compile(r"(?<![\w.@])[^\W\d_]{4,30}(?![\w@]|\.\w)")


def make_storable(text: str, limit_bytes: int | None = None) -> str:
    """`text` without what PostgreSQL can't hold or what marks a snippet, cut at a character's end."""
    cleaned = _UNSTORABLE.sub("", text)
    if limit_bytes is None or len(cleaned) * 4 <= limit_bytes:
        return cleaned
    return cleaned.encode("utf-8")[:limit_bytes].decode("utf-8", "ignore")


def normalise_words(text: str) -> str:
    """Lower-case words between single spaces; each ideograph and kana is a word, so that any part of a run is found."""
    folded = unicodedata.normalize("NFKC", text).lower()
    if _IDEOGRAPH.search(folded):
        folded = _IDEOGRAPH.sub(r" \1 ", folded)
    return _LOOSE_MARKS.sub(" ", _SEPARATORS.sub(" ", folded)).strip()


def list_vocabulary(normalised_texts: Iterable[str]) -> list[str]:
    """The alphabetic words of 4 to 30 letters, each once, sorted."""
    words: set[str] = set()
    for text in normalised_texts:
        words.update(_VOCABULARY_WORD.findall(text))
    return sorted(words)
